/** The machine and the programs of a measurement, in a line: what its figures depend on, and no name of a host. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, cpus, release, tmpdir, totalmem } from "node:os";

export function machineText(): string {
  const memory = `${Math.round(totalmem() / 1024 ** 3)} GiB`;
  const model = (cpus()[0]?.model ?? "unknown").trim();
  return (
    `${availableParallelism()} cores (${model}), ${memory}, Linux ${release().split("-")[0]}, ${fileSystemText(tmpdir())}; ` +
    `Node ${process.versions.node}, workerd ${versionOf("workerd")}`
  );
}

/** The commit that was measured; says so where files differ from it. */
export function commitText(): string {
  try {
    const git = (...args: string[]) =>
      execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const commit = git("rev-parse", "--short=9", "HEAD").trim();
    return git("status", "--porcelain").trim() === "" ? commit : `${commit} with changes`;
  } catch {
    return "unknown";
  }
}

/** The file system below a folder, by the longest mount point that it lies in. */
function fileSystemText(folder: string): string {
  const mounts = readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, point = "-"]) => folder === point || folder.startsWith(point.endsWith("/") ? point : `${point}/`))
    .toSorted(([, a = ""], [, b = ""]) => b.length - a.length);
  const [device = "", , type = "unknown"] = mounts[0] ?? [];
  return `${type} on ${device.startsWith("/dev/") ? device.slice(5) : "no block device of its own"}`;
}

function versionOf(name: string): string {
  const require = createRequire(import.meta.url);
  return (require(`${name}/package.json`) as { version: string }).version;
}
