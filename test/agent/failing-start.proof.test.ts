/** What stands in a start's way is said in one line, and the process ends. */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { until } from "../../tools/processes/until.ts";
import { commandLine } from "./support/running.ts";

const MAIN = fileURLToPath(new URL("../../agent/main.ts", import.meta.url));

/** A short path, such as a unix socket takes. */
function folder(): string {
  const { path, remove } = tempDir("weir-start");
  onTestFinished(remove);
  return path;
}

test("an agent that cannot listen on its socket says so and ends, though its port was open", async () => {
  const { agent, destination } = await commandLine();
  const socket = join(folder(), "taken.sock");
  const other = createServer((connection) => connection.destroy());
  onTestFinished(() => void other.close());
  await new Promise<void>((resolve) => other.listen(socket, resolve));
  writeFileSync(
    agent.configFile,
    `[listen]\nport = 0\nsocket = "${socket}"\n[destination]\nurl = "${destination.url}"\napi_key_env = "WEIR_API_KEY"\n`,
  );
  const { code, stdout, stderr } = await agent.command(["run"]);
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr.split("\n").filter((line) => line.startsWith("weir-agent: "))).toEqual([
    `weir-agent: listen.socket: another process listens on ${socket}`,
  ]);
});

test("an agent whose control socket cannot be made at all says so in one line and ends", async () => {
  const { agent } = await commandLine();
  mkdirSync(join(agent.directory, "weir-buffer/control.sock/in-the-way"), { recursive: true });
  const { code, stderr } = await agent.command(["run"]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^weir-agent: .*control\.sock/m);
  expect(stderr).not.toContain("    at ");
});

const canTrace = process.platform === "linux" && spawnSync("strace", ["-V"]).status === 0;

test.runIf(canTrace).each(["ENOSYS", "EOPNOTSUPP", "EPERM"])(
  "where the buffer's file system has no sockets (%s) the control socket is in the runtime directory, and all works",
  async (code) => {
    const { agent, destination } = await commandLine();
    destination.schemas = { streams: [{ meter_global_id: "m" }] };
    const runtime = folder();
    // The first bind is the port's, the second the control socket's in the buffer.
    const fault = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=bind", "-e", `inject=bind:error=${code}:when=2`];
    const env = { ...process.env, WEIR_API_KEY: "test-key", RUNTIME_DIRECTORY: runtime };
    const child = spawn("strace", [...fault, process.execPath, MAIN, "run", "--config", agent.configFile], { env });
    const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
    onTestFinished(async () => {
      child.kill("SIGKILL");
      await exited;
    });
    let printed = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        printed += chunk;
      });
    }
    await until(() => printed.includes("agent ready on "), { what: "the agent to be ready", timeoutMs: 60_000 });
    const pointer = join(agent.directory, "weir-buffer/control.path");
    const path = readFileSync(pointer, "utf8").trim();
    expect(path.startsWith(runtime)).toBe(true);
    expect((await agent.command(["send", "--stream", "usage/m"], "{}")).stderr).toContain("stdin:1");
    expect(JSON.parse((await agent.command(["status", "--json"])).stdout)).toMatchObject({ running: true });
    process.kill(Number(spawnSync("pgrep", ["-P", String(child.pid)], { encoding: "utf8" }).stdout), "SIGTERM");
    expect(await exited).toBe(0);
    expect([existsSync(pointer), existsSync(path)]).toEqual([false, false]);
  },
);

const NOBODY = 65_534;

test.runIf(process.getuid?.() === 0)("another user's command line says whose the buffer is, in one line", async () => {
  const { agent } = await commandLine();
  const url = await agent.run().ready;
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  // So that all but the buffer can be reached.
  chmodSync(agent.directory, 0o755);
  chmodSync(join(agent.directory, ".."), 0o755);
  chmodSync(agent.configFile, 0o644);
  for (const command of ["status", "drain", "check", "quarantine list"]) {
    const args = [MAIN, ...command.split(" "), "--config", agent.configFile];
    const env = { ...process.env, WEIR_API_KEY: "k" };
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { uid: NOBODY, env, encoding: "utf8" });
    expect([command, status]).toEqual([command, 1]);
    const line = (stdout + stderr).split("\n").find((text) => text.includes("may not be used"));
    expect(line).toContain(`it belongs to user 0, this is user ${NOBODY}; run the command as that user`);
    expect(stdout + stderr).not.toContain("    at ");
  }
});
