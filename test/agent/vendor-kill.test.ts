/** Killed in the middle of delivering to a vendor: what was answered for arrives, once. */
import { writeFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { SOLVIMON_PATHS } from "../../shared/wire.ts";
import { until } from "../support/until.ts";
import { setupTwin } from "../twin/setup.ts";
import { type Cli, cli } from "./support/cli.ts";
import { eventNumber } from "./support/setup.ts";
import { SOLVIMON_KINDS, solvimonEvent } from "./support/solvimon-events.ts";
import { solvimonLines, zuoraLines } from "./support/vendor.ts";

const ROUNDS = 4;

const CASES = [
  {
    dialect: "zuora",
    lines: zuoraLines,
    request: (n: number) => ({ path: "/usage/bulk/m", event: eventNumber(n), mark: eventNumber(n) }),
  },
  {
    dialect: "solvimon",
    lines: solvimonLines,
    request(n: number) {
      const kind = SOLVIMON_KINDS[n % SOLVIMON_KINDS.length] ?? "persist";
      const mark = `"reference":"reference-${n}"`;
      return { path: `/v1${SOLVIMON_PATHS[kind].single[0]}`, event: solvimonEvent(kind, mark), mark };
    },
  },
] as const;

type Request = (typeof CASES)[number]["request"];

/** Posts events until the agent dies under it; only what got a 2xx is owed. */
async function postUntilCut(url: string, next: () => number, request: Request, owed: Set<string>): Promise<void> {
  for (;;) {
    const { path, event, mark } = request(next());
    try {
      const headers = { "content-type": "application/json" };
      const response = await fetch(url + path, { method: "POST", headers, body: event });
      if (response.ok) owed.add(mark);
      await response.arrayBuffer();
    } catch {
      return;
    }
  }
}

async function killAgainAndAgain(agent: Cli, request: Request): Promise<Set<string>> {
  const owed = new Set<string>();
  let number = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const running = agent.run();
    const url = await running.ready;
    const enough = owed.size + 150;
    const producers = [1, 2, 3].map(() => postUntilCut(url, () => number++, request, owed));
    await until(() => owed.size >= enough, { what: "events to be taken" });
    await running.kill("SIGKILL");
    await Promise.all(producers);
  }
  return owed;
}

test.each(CASES)("killed under a faulty $dialect, the agent delivers every event it answered for, once", async (of) => {
  const twin = await setupTwin();
  await twin.faults(
    Array.from({ length: 40 }, (_, n) =>
      n % 3 === 0 ? { times: 1, status: 503 } : { times: 1, drop: n % 3 === 1 ? "after" : "before" },
    ),
  );
  const agent = cli(twin.url);
  onTestFinished(() => agent[Symbol.asyncDispose]());
  // The key's own variable is not in the command's environment: its file is.
  writeFileSync(`${agent.directory}/key`, "twin-key");
  const lines = of.lines(twin.url).replace('api_key_env = "TWIN_KEY"', 'api_key_file = "key"');
  writeFileSync(
    agent.configFile,
    `[listen]\nport = 0\n[destination]\n${lines}\n[upload]\nlinger_ms = 0\nbackoff_base_ms = 5\n` +
      "backoff_max_ms = 100\nbatch_events = 20\nconcurrency = 3\n",
  );
  const owed = await killAgainAndAgain(agent, of.request);
  expect((await agent.command(["drain", "--timeout", "60"])).code).toBe(0);

  const arrived = await twin.lines();
  // What was cut before its answer may have been kept too, but nothing arrives twice.
  const marks = arrived.map((line) => /"reference":"reference-\d+"/.exec(line)?.[0] ?? line);
  expect(new Set(marks).size).toBe(marks.length);
  expect([...owed].filter((mark) => !marks.includes(mark))).toEqual([]);
  const status = JSON.parse((await agent.command(["status", "--json"])).stdout) as { ledger: Record<string, number> };
  expect(status.ledger).toMatchObject({ pending: 0, quarantined: 0, delivered: marks.length });
  const faults = (await (await fetch(`${twin.url}/twin/faults`)).json()) as { items: unknown[] };
  expect(faults.items).toEqual([]);
});
