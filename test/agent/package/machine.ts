/**
 * A machine of its own to install on: this one's files below an overlay that is thrown away, without Node, run by systemd as
 * process 1 in namespaces of its own. Only the network is shared.
 */
import { execFile, execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "../../../tools/processes/temp-dir.ts";
import { until } from "../../../tools/processes/until.ts";

const SYSTEMD = "/lib/systemd/systemd";

export interface Ran {
  /** Its exit code; a signal's name, or an error's code. */
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Machine {
  /** Runs a command there, as root; meanwhile this process goes on. */
  run(command: string, ...args: readonly string[]): Promise<Ran>;
  /** The same; throws with its words where it ends with another code than 0. @returns its output. */
  must(command: string, ...args: readonly string[]): Promise<string>;
  /** Puts a file of this machine there. */
  copyIn(from: string, to: string): void;
  write(path: string, text: string): void;
  stop(): Promise<void>;
}

/** Why there can be none; null where there can. */
export function whyNoMachine(): string | null {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "it takes root on Linux";
  // Two of them would share what the kernel has once, the control groups.
  if (existsSync("/run/systemd/system")) return "this machine is run by systemd itself";
  for (const program of ["dpkg", "dpkg-deb", "unshare", "nsenter", "setpriv", "adduser", "deb-systemd-invoke"]) {
    if (spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0) return `there is no ${program}`;
  }
  if (!existsSync(SYSTEMD)) return "there is no systemd";
  const temp = tempDir("weir-machine");
  const { status, stderr } = spawnSync("unshare", ["-m", "sh", "-c", `set -e\n${OVERLAY}`, "sh", temp.path], {
    encoding: "utf8",
  });
  temp.remove();
  return status === 0 ? null : `nothing may be mounted: ${stderr.trim().split("\n").at(-1)}`;
}

/** $1 is a folder; the machine's root is in it. */
const OVERLAY = `
mount --make-rprivate /
mkdir -p "$1/layer" "$1/root"
mount -t tmpfs layer "$1/layer"
mkdir "$1/layer/upper" "$1/layer/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/layer/upper,workdir=$1/layer/work" "$1/root"
`;

/** What systemd finds in a container: a kernel it may look at and not set, devices that do no harm, control groups. */
const BOOT = `
set -e
${OVERLAY}
root="$1/root"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs dev "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm" "$root/dev/pts"
ln -s /proc/self/fd "$root/dev/fd"
ln -s pts/ptmx "$root/dev/ptmx"
for folder in run tmp; do mount -t tmpfs tmpfs "$root/$folder"; done
mount -t tmpfs cgroup "$root/sys/fs/cgroup"
mkdir "$root/sys/fs/cgroup/systemd"
mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd" || mount -t cgroup2 cgroup "$root/sys/fs/cgroup"
# No Node, and nothing that keeps a package from starting what it brings.
rm -f "$root/usr/bin/node" "$root/usr/local/bin/node" "$root/usr/sbin/policy-rc.d"
mkdir -p "$root/run/systemd/system"
cat > "$root/run/systemd/system/weir-test.target" << 'END'
[Unit]
DefaultDependencies=no
Requires=systemd-journald.service
After=systemd-journald.service
END
exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=weir-test \\
  ${SYSTEMD} --system --show-status=false --unit=weir-test.target
`;

/** Starts one; settles once its systemd answers. */
export async function startMachine(): Promise<Machine> {
  const folder = tempDir("weir-machine");
  // Of unshare itself; its child is the machine's process 1.
  const outer = spawn(
    "unshare",
    ["-m", "-p", "-u", "-i", "--fork", "--kill-child=KILL", "sh", "-c", BOOT, "sh", folder.path],
    {
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let words = "";
  outer.stderr.on("data", (chunk) => {
    words += chunk;
  });
  const ended = new Promise<void>((resolve) => outer.once("close", () => resolve()));
  const machine = machineOf(outer.pid ?? 0, async () => {
    outer.kill("SIGKILL");
    await ended;
    folder.remove();
  });
  try {
    const state = async () => (await machine.run("systemctl", "is-system-running")).stdout.trim();
    await until(async () => (await state()) === "running", {
      what: "systemd to be there",
      timeoutMs: 60_000,
    });
  } catch (cause) {
    await machine.stop();
    throw new Error(`no systemd: ${words}`, { cause });
  }
  return machine;
}

function machineOf(outer: number, stop: () => Promise<void>): Machine {
  const first = () => readFileSync(`/proc/${outer}/task/${outer}/children`, "utf8").trim();
  const run = (command: string, ...args: readonly string[]) =>
    new Promise<Ran>((resolve) => {
      const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
      const there = ["--target", first(), "-m", "-p", "-u", "-i", "-r", "-w", command, ...args];
      execFile("nsenter", there, { env }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? "unknown"), stdout, stderr }),
      );
    });
  const inside = (file: string) => join("/proc", first(), "root", file);
  return {
    run,
    async must(command, ...args) {
      const { code, stdout, stderr } = await run(command, ...args);
      if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}: ${stdout}${stderr}`);
      return stdout;
    },
    copyIn: (from, to) => void execFileSync("cp", [from, inside(to)]),
    write: (file, text) => writeFileSync(inside(file), text),
    stop,
  };
}
