/** The agent as one executable keeps what the agent promises: it starts without Node, ends as it should, and survives. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type NodeProcess, spawnProgram } from "../../../tools/processes/node-process.ts";
import { type TempDir, tempDir } from "../../../tools/processes/temp-dir.ts";
import { until } from "../../../tools/processes/until.ts";
import { ROOT } from "../../support/markdown.ts";
import { chooseCuts } from "../power-cut/places.ts";
import { whyNotRecorded } from "../power-cut/recorder.ts";
import { failuresIn, recordIn, tryCuts } from "../power-cut/verdicts.ts";
import { openDestination } from "../support/destination.ts";
import { buildExecutable, EXECUTABLE_ENV, NO_EXECUTABLE } from "../support/executable.ts";
import { notOnce, postEvents, startLoad } from "../support/load.ts";
import { eventNumber } from "../support/setup.ts";

const KILLS = 10;
const SEED = 20_261_122;

if (NO_EXECUTABLE !== null) console.warn(`no executable is tried: ${NO_EXECUTABLE}`);

describe.skipIf(NO_EXECUTABLE !== null)("the executable", () => {
  let built: TempDir;
  let program: string;
  beforeAll(() => {
    built = tempDir("weir-executable");
    program = buildExecutable(built.path);
  });
  afterAll(() => built.remove());

  async function setup() {
    const folder = tempDir("weir-executable-agent");
    const destination = await openDestination();
    const config = join(folder.path, "agent.toml");
    writeFileSync(
      config,
      `[listen]\nport = 0\n[destination]\nurl = "${destination.url}"\napi_key_env = "WEIR_API_KEY"\n` +
        "[upload]\nlinger_ms = 0\nbackoff_base_ms = 5\nbackoff_max_ms = 100\n",
    );
    const started: NodeProcess[] = [];
    onTestFinished(async () => {
      for (const agent of started) await agent.stop();
      await destination.close();
      folder.remove();
    });
    // Nothing of this machine's: no Node on the path.
    const env = { PATH: "/nowhere", WEIR_API_KEY: "test-key" };
    return {
      folder: folder.path,
      destination,
      /** While it runs the destination, in this process, answers nothing. */
      command: (args: readonly string[], input = "") =>
        spawnSync(program, [...args, "--config", config], { env, input, encoding: "utf8" }),
      /** @returns its exit code. */
      async drain() {
        const draining = spawnProgram(program, ["drain", "--timeout", "120", "--config", config], { env });
        return (await draining.exited).code;
      },
      run(more: Readonly<Record<string, string>> = EXECUTABLE_ENV) {
        const agent = spawnProgram(program, ["run", "--config", config], { env: { ...env, ...more } });
        started.push(agent);
        return agent;
      },
    };
  }

  test("says its version and how it is used, and tells usage, failure and success apart by its exit code", async () => {
    const { command, folder } = await setup();
    expect(spawnSync(program, ["--version"], { encoding: "utf8" }).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(spawnSync(program, ["--help"], { encoding: "utf8" }).stdout).toContain("quarantine retry");
    expect(command(["no-such-command"]).status).toBe(2);
    expect(spawnSync(program, ["status", "--config", join(folder, "none.toml")]).status).toBe(2);
    expect(command(["quarantine", "show", "7"]).status).toBe(1);
    expect(command(["check"]).stdout).toContain("ok      buffer: sound");
    expect(command(["send", "--stream", "usage/m"], `${eventNumber(1)}\n`)).toMatchObject({
      ...{ status: 0, stdout: "1 accepted, 0 quarantined\n", stderr: "" },
    });
    expect(JSON.parse(command(["status", "--json"]).stdout).ledger).toMatchObject({ accepted: 1, pending: 1 });
  });

  test("takes, delivers and ends with 0 at SIGTERM, another's `run` on its buffer with 1", async () => {
    const { run, destination, command } = await setup();
    const agent = run();
    const url = await agent.ready;
    expect((await postEvents(url, [eventNumber(1)])).status).toBe(200);
    await until(() => destination.taken.size === 1, { what: "the event to arrive" });
    expect(command(["run"]).status).toBe(1);
    expect(await agent.kill("SIGTERM")).toEqual({ code: 0, signal: null });
    expect(agent.stderr()).not.toContain("Warning");
  });

  test("has the memory settings of `npm run agent`, also where nobody gave them to it", async () => {
    const { run } = await setup();
    const agent = run({});
    await agent.ready;
    const environment = readFileSync(`/proc/${agent.pid}/environ`, "utf8").split("\0");
    for (const [name, value] of Object.entries(EXECUTABLE_ENV)) expect(environment).toContain(`${name}=${value}`);
    // V8's own threads go by a flag: as many as are asked for, where it would take four.
    const threads = readdirSync(`/proc/${agent.pid}/task`).map((id) =>
      readFileSync(`/proc/${agent.pid}/task/${id}/comm`, "utf8").trim(),
    );
    expect(threads.filter((name) => name.startsWith("V8Worker") || name === "DefaultWorker")).toHaveLength(1);
  });

  test(`loses and doubles nothing through ${KILLS} kills under load`, async () => {
    const { run, destination, command, drain } = await setup();
    let agent = run();
    let url = await agent.ready;
    const load = startLoad({ url: () => url });
    for (let kill = 1; kill <= KILLS; kill++) {
      const [calls, owed] = [destination.calls.length, load.owed.size];
      await until(() => destination.calls.length > calls + 3 && load.owed.size > owed + 100, {
        what: "requests and calls to be under way",
      });
      expect(await agent.kill("SIGKILL")).toEqual({ code: null, signal: "SIGKILL" });
      agent = run();
      url = await agent.ready;
    }
    await load.stop();
    expect(await drain()).toBe(0);
    expect(load.owed.size).toBeGreaterThan(KILLS * 100);
    expect(notOnce(load.owed, [...destination.taken.values()])).toEqual([]);
    expect(destination.disagreements).toEqual([]);
    const { ledger } = JSON.parse(command(["status", "--json"]).stdout);
    expect(ledger).toMatchObject({ pending: 0, delivered: destination.taken.size });
  });

  const noRoot = process.getuid?.() === 0 ? null : "it takes root";
  test.skipIf(noRoot !== null)(
    `runs as an image's user in a root that is read-only and has nothing but its libraries${noRoot === null ? "" : ` (skipped: ${noRoot})`}`,
    async () => {
      const { destination } = await setup();
      const folder = tempDir("weir-image");
      onTestFinished(folder.remove);
      const root = join(folder.path, "root");
      makeImage(program, root);
      const script = `set -e
        mount --make-rprivate /
        mount --bind "$1" "$1"
        mount -t tmpfs -o mode=700,uid=65532,gid=65532 volume "$1/var/lib/weir-agent"
        mount -t proc proc "$1/proc"
        mount --rbind /dev "$1/dev"
        mount -o remount,bind,ro "$1"
        exec chroot --userspec=65532:65532 "$1" /usr/bin/weir-agent run --config /etc/weir-agent/agent.toml`;
      const agent = spawnProgram("unshare", ["--mount", "sh", "-c", script, "sh", root], {
        env: { ...EXECUTABLE_ENV, WEIR_URL: destination.url, WEIR_API_KEY: "test-key" },
      });
      onTestFinished(async () => void (await agent.stop()));
      const { port } = new URL(await agent.ready);
      const url = `http://127.0.0.1:${port}`;
      expect((await postEvents(url, [eventNumber(1)])).status).toBe(401);
      expect((await postEvents(url, [eventNumber(1)], { "x-api-key": "ingest" })).status).toBe(200);
      await until(() => destination.taken.size === 1, { what: "the event to arrive" });
      expect(await agent.kill("SIGTERM")).toEqual({ code: 0, signal: null });
    },
  );

  const noCuts = whyNotRecorded();
  test.skipIf(noCuts !== null)(
    `loses nothing to a hundred power cuts${noCuts === null ? "" : ` (skipped: ${noCuts})`}`,
    async () => {
      const folder = tempDir("weir-executable-recording");
      onTestFinished(folder.remove);
      const recording = await recordIn(folder, (args, options) =>
        spawnProgram(program, args, { ...options, env: { ...EXECUTABLE_ENV, ...options.env } }),
      );
      const verdicts = tryCuts(recording, chooseCuts(recording, SEED));
      expect(verdicts).toHaveLength(100);
      expect(failuresIn(verdicts, folder.path)).toEqual([]);
    },
  );
});

/** What the image has of an agent's: its libraries, the executable, the example's configuration. */
function makeImage(program: string, root: string): void {
  const put = (from: string, to = from) => {
    mkdirSync(dirname(join(root, to)), { recursive: true });
    copyFileSync(from, join(root, to));
  };
  for (const folder of ["proc", "dev", "var/lib/weir-agent", "etc/weir-agent"]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  put(program, "/usr/bin/weir-agent");
  const { stdout } = spawnSync("ldd", [program], { encoding: "utf8" });
  for (const [, library = ""] of stdout.matchAll(/(\/\S+) \(0x/g)) put(library);
  const example = readFileSync(join(ROOT, "agent/package/container/agent.toml"), "utf8");
  writeFileSync(join(root, "etc/weir-agent/agent.toml"), example.replace("[listen]", "[listen]\nport = 0"));
  writeFileSync(join(root, "etc/weir-agent/ingest-token"), "ingest");
}
