/** Paths that are no place for a buffer, and what others may have put where the agent's files belong. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { openStore } from "../../agent/buffer/store.ts";
import { checkDisk } from "../../agent/check/disk.ts";
import { checkTailFiles } from "../../agent/check/tails.ts";
import { readConfig } from "../../agent/config/config.ts";
import { forgetElsewhere } from "../../agent/control/socket-path.ts";
import { AgentError } from "../../agent/runtime/agent-error.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { runInProcess } from "./support/in-process.ts";

const MAIN = fileURLToPath(new URL("../../agent/main.ts", import.meta.url));
const isRoot = process.getuid?.() === 0;

function setup() {
  const { path: folder, remove } = tempDir("weir-hostile");
  onTestFinished(remove);
  const configFile = join(folder, "weir-agent.toml");
  return {
    folder,
    buffer: join(folder, "buffer"),
    configFile,
    configure: (buffer: string) =>
      writeFileSync(
        configFile,
        `[listen]\nport = 0\n[buffer]\npath = ${JSON.stringify(buffer)}\n` +
          `[destination]\nurl = "http://127.0.0.1:1"\napi_key_env = "KEY"\n`,
      ),
    /** What `check` says of the disk. */
    disk: async () => (await checkDisk(readConfig(configFile, { KEY: "key" }))).map(({ message }) => message),
    check: () => runInProcess(["check", "--config", configFile]),
    send: () => runInProcess(["send", "--stream", "usage/m", "--config", configFile]),
  };
}

function codeOf(act: () => unknown): string | null {
  try {
    act();
    return null;
  } catch (error) {
    return error instanceof AgentError ? error.code : String(error);
  }
}

const makePipe = (path: string) => expect(spawnSync("mkfifo", [path]).status).toBe(0);

const PATHS: readonly (readonly [what: string, make: (folder: string) => string, why: string])[] = [
  ["a file", (folder) => join(folder, "weir-agent.toml"), "a file is there, not a directory"],
  ["a path below a file", (folder) => join(folder, "weir-agent.toml/buffer"), "a part of the path is a file"],
  ["a device", () => "/dev/null", "a device is there, not a directory"],
  ["a path below a device", () => "/dev/null/buffer", "a part of the path is a file"],
  ["/proc", () => "/proc", "no file can be made in /proc (ENOENT)"],
  [
    "a named pipe",
    (folder) => {
      makePipe(join(folder, "pipe"));
      return join(folder, "pipe");
    },
    "a named pipe is there, not a directory",
  ],
  [
    "a link that leads nowhere",
    (folder) => {
      symlinkSync(join(folder, "absent"), join(folder, "link"));
      return join(folder, "link");
    },
    "a file is there, not a directory (EEXIST)",
  ],
];

test.each(PATHS)("%s as the buffer's path: `check` and whoever opens it say why", async (_, make, why) => {
  const { folder, configure, disk } = setup();
  const path = make(folder);
  configure(path);
  expect(await disk()).toEqual([expect.stringContaining(`buffer.path: ${path} cannot be used: ${why}`)]);
  expect(() => openStore({ directory: path, bytesMax: 64e6 })).toThrow(why);
});

test("a socket as the buffer's path is named as one", async () => {
  const { folder, configure, disk } = setup();
  const path = join(folder, "s");
  const server = createServer();
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  configure(path);
  expect(await disk()).toEqual([`buffer.path: ${path} cannot be used: a socket is there, not a directory`]);
});

test.each(["check", "run"])("`%s` ends by itself where no directory can ever be made", async (command) => {
  const { configFile, configure } = setup();
  configure("/proc/foo");
  const child = spawn(process.execPath, [MAIN, command, "--config", configFile], { env: { ...process.env, KEY: "k" } });
  // One that hangs hears no other signal.
  onTestFinished(() => void child.kill("SIGKILL"));
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      printed += chunk;
    });
  }
  const [code] = await once(child, "close");
  expect(code).toBe(1);
  expect(printed).toContain("no directory can be made in /proc (ENOENT)");
});

test.runIf(isRoot)("a directory without rights for the agent's user is refused in one line", () => {
  const { folder, buffer, configFile, configure } = setup();
  mkdirSync(buffer, { mode: 0o700 });
  configure(buffer);
  chmodSync(folder, 0o755);
  chmodSync(configFile, 0o644);
  const options = { uid: 65_534, env: { ...process.env, KEY: "k" }, encoding: "utf8" } as const;
  const { status, stdout } = spawnSync(process.execPath, [MAIN, "check", "--config", configFile], options);
  expect(status).toBe(1);
  expect(stdout).toContain(`disk: buffer.path: ${buffer} cannot be used: this user may not (EACCES)`);
});

const OWN = [
  ...["lock", "name", "name.part", "reserve", "reserve.part", "commits", "suspect"],
  ...["buffer.db", "buffer.db-wal", "buffer.db-shm", "buffer.db-journal"],
];

test.each(OWN)(
  "a symbolic link in the place of %s is not followed: nothing is opened, and its target stays",
  async (name) => {
    const { folder, buffer, configure, disk } = setup();
    const victim = join(folder, "victim");
    writeFileSync(victim, "precious");
    chmodSync(victim, 0o644);
    mkdirSync(buffer, { mode: 0o700 });
    symlinkSync(victim, join(buffer, name));
    expect(codeOf(() => openStore({ directory: buffer, bytesMax: 64e6 }))).toBe("BUFFER_UNSAFE");
    configure(buffer);
    expect(await disk()).toEqual([
      `buffer.path: ${buffer} cannot be used: ${join(buffer, name)} is a symbolic link, which the agent ` +
        "does not make and does not follow; find out who made it, and remove it",
    ]);
    expect([readFileSync(victim, "utf8"), statSync(victim).mode & 0o777]).toEqual(["precious", 0o644]);
    expect(readdirSync(buffer)).toEqual([name]);
  },
);

test("links in the place of the control socket's whereabouts and of damaged/ are not followed either", async () => {
  const { folder, buffer, configure, send } = setup();
  const others = join(folder, "others");
  mkdirSync(others);
  configure(buffer);
  for (const name of ["damaged", "control.path"]) {
    mkdirSync(buffer, { mode: 0o700, recursive: true });
    symlinkSync(others, join(buffer, name));
    const { code, stderr } = await send();
    expect([code, stderr.includes(`${join(buffer, name)} is a symbolic link`)]).toEqual([1, true]);
    spawnSync("rm", ["-r", buffer]);
  }
});

test("a named pipe in the place of the lock is refused, not waited for", async () => {
  const { buffer, configure, disk } = setup();
  mkdirSync(buffer, { mode: 0o700 });
  makePipe(join(buffer, "lock"));
  configure(buffer);
  expect((await disk())[0]).toContain(`${join(buffer, "lock")} is a named pipe`);
  expect(codeOf(() => openStore({ directory: buffer, bytesMax: 64e6 }))).toBe("BUFFER_UNSAFE");
});

test("a directory that every user may write to is refused, whoever listens on a socket in it", async () => {
  const { buffer, configure, check, send } = setup();
  mkdirSync(buffer);
  chmodSync(buffer, 0o777);
  const imposter = createServer((socket) => socket.destroy());
  let connections = 0;
  imposter.on("connection", () => connections++);
  onTestFinished(() => void imposter.close());
  await new Promise<void>((resolve) => imposter.listen(join(buffer, "control.sock"), resolve));
  configure(buffer);
  const why =
    `buffer.path: ${buffer} cannot be used: every user of this machine may write there (mode 777); ` +
    "chmod 700 it, or choose a directory of the agent's own";
  const { code, stdout } = await check();
  expect(code).toBe(1);
  for (const line of [`FAILED  disk: ${why}`, "FAILED  buffer: not opened: its directory cannot be used"])
    expect(stdout.split("\n")).toContain(line);
  expect(await send()).toMatchObject({ code: 1, stderr: `weir-agent: ${why}\n` });
  expect([connections, readdirSync(buffer)]).toEqual([0, ["control.sock"]]);
});

test.runIf(isRoot)("a directory of another user is refused, with what to do", async () => {
  const { buffer, configure, disk } = setup();
  mkdirSync(buffer, { mode: 0o700 });
  chownSync(buffer, 12_345, 12_345);
  configure(buffer);
  const why =
    `buffer.path: ${buffer} cannot be used: it belongs to user 12345, this is user 0; ` +
    "run as that user, or chown it to this one";
  expect(await disk()).toEqual([why]);
  expect(() => openStore({ directory: buffer, bytesMax: 64e6 })).toThrow(why);
  expect(readdirSync(buffer)).toEqual([]);
});

test.runIf(isRoot)(
  "`check` fails on a followed link that a stranger made to another's file, and on no other link",
  async () => {
    const { folder, configFile } = setup();
    const [file, link, directory] = [join(folder, "secret"), join(folder, "followed.ndjson"), join(folder, "logs")];
    writeFileSync(file, "");
    symlinkSync(folder, directory);
    // By a link to a directory, as /var/log/containers has them, then by one to a file.
    symlinkSync(join("logs", "secret"), link);
    writeFileSync(
      configFile,
      `[destination]\nurl = "http://127.0.0.1:1"\napi_key_env = "KEY"\n[[tail]]\npath = "${link}"\nstream = "usage/m"\n`,
    );
    const found = () => checkTailFiles(readConfig(configFile, {}), join(folder, "none"));
    expect(await found()).toEqual([]);
    for (const made of [link, directory]) {
      lchownSync(made, 12_345, 12_345);
      expect(await found()).toMatchObject([
        { ok: false, message: expect.stringContaining(`${made} is a symbolic link that user 12345 made`) },
      ]);
      chownSync(file, 12_345, 12_345);
      expect(await found()).toEqual([]);
      chownSync(file, 0, 0);
      lchownSync(made, 0, 0);
    }
  },
);

test("what is written in control.path removes no directory that the agent did not make", () => {
  const { folder, buffer } = setup();
  const others = join(folder, "others");
  mkdirSync(others);
  writeFileSync(join(others, "kept"), "");
  mkdirSync(buffer);
  for (const planted of [join(others, "control.sock"), join(others, "kept")]) {
    writeFileSync(join(buffer, "control.path"), planted);
    forgetElsewhere(buffer);
    expect([existsSync(join(others, "kept")), existsSync(join(buffer, "control.path"))]).toEqual([true, false]);
  }
});
