/**
 * A process may end without a word: a host program leaves, throws, or loses its terminal. What was said yes to is there
 * at the next start, in the same log, under the same name.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { freePort } from "../../tools/processes/free-port.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { until } from "../../tools/processes/until.ts";
import { eventNumber } from "./support/setup.ts";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const MAIN = at("../../agent/main.ts");

async function setup() {
  const { path, remove } = tempDir("weir-sudden-end");
  onTestFinished(remove);
  const port = await freePort();
  const config = join(path, "weir-agent.toml");
  const nobody = `http://127.0.0.1:${await freePort()}`;
  writeFileSync(config, `[listen]\nport = ${port}\n[destination]\nurl = "${nobody}"\napi_key_env = "KEY"\n`);
  const env = { ...process.env, KEY: "k" };
  const status = () => {
    const { stdout } = spawnSync(process.execPath, [MAIN, "status", "--json", "--config", config], { env });
    return JSON.parse(String(stdout)) as { producer: string; ledger: { accepted: number; pending: number } };
  };
  return { path, port, config, env, status, damaged: join(path, "weir-buffer/damaged") };
}

test.each([
  ["leaves", "process.exit(0);"],
  ["throws", 'throw new Error("the host has a bug of its own");'],
  ["throws in a thread's callback", 'setImmediate(() => { throw new Error("later"); });'],
])("a program that appends through the library and then %s, again and again", async (_, end) => {
  const { path, config, env, status, damaged } = await setup();
  const script = join(path, "host.ts");
  writeFileSync(
    script,
    `import { openAgent } from ${JSON.stringify(at("../../agent/library/open-agent.ts"))};
     const agent = await openAgent({ config: ${JSON.stringify(config)} });
     await agent.append("usage/m", [process.argv[2]]);
     ${end}`,
  );
  const producers = new Set<string>();
  for (let n = 1; n <= 3; n++) {
    spawnSync(process.execPath, [script, eventNumber(n)], { env });
    const { producer, ledger } = status();
    producers.add(producer);
    expect(ledger).toMatchObject({ accepted: n, pending: n });
  }
  expect([producers.size, existsSync(damaged)]).toEqual([1, false]);
});

test("an agent whose standard output nobody reads goes on, and ends as it should", async () => {
  const { port, config, env, status, damaged } = await setup();
  const agent = spawn(process.execPath, [MAIN, "run", "--config", config], {
    env,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const exited = new Promise<number | null>((resolve) => agent.once("close", resolve));
  onTestFinished(() => void agent.kill("SIGKILL"));
  agent.stdout?.destroy();
  const url = `http://127.0.0.1:${port}`;
  await until(async () => (await fetch(`${url}/healthz`)).ok, { what: "the agent to be ready" });
  const headers = { "content-type": "application/json" };
  const posted = await fetch(`${url}/usage/bulk/m`, { method: "POST", headers, body: eventNumber(1) });
  expect(posted.status).toBe(200);
  agent.kill("SIGTERM");
  expect(await exited).toBe(0);
  expect([status().ledger.accepted, existsSync(damaged)]).toEqual([1, false]);
});

test("commands whose output nobody reads to its end say nothing about it and leave the log whole", async () => {
  const { path, config, env, status, damaged } = await setup();
  const file = join(path, "lines.ndjson");
  const lines = Array.from({ length: 600 }, (_, n) => (n % 2 === 0 ? eventNumber(n) : `{"CustomerId":"bad-${n}"}`));
  writeFileSync(file, `${lines.join("\n")}\n`);
  const shell = (command: string) => spawnSync("sh", ["-c", command], { env, encoding: "utf8" });
  const agent = (args: string) => `"${process.execPath}" "${MAIN}" ${args} --config "${config}"`;
  for (const args of [`send --lenient --stream usage/m "${file}"`, "quarantine list", "quarantine export", "status"]) {
    expect([args, shell(`${agent(args)} | true`).stderr]).toEqual([args, ""]);
  }
  expect(shell(`${agent("quarantine export")} | head -n 1`).stdout).toContain("bad-1");
  expect(status().ledger).toMatchObject({ accepted: 600, pending: 300 });
  expect(existsSync(damaged)).toBe(false);
});
