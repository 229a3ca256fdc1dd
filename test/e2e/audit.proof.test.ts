/** The agent's audit against a real edge that lost a stretch of what it had said yes to. */
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { StreamAudit } from "../../agent/operator/audit.ts";
import { until } from "../../tools/processes/until.ts";
import { LOCAL_KEYS } from "../../tools/sample/local-keys.ts";
import { type CommandResult, runCommand } from "../agent/support/cli.ts";
import { METER, type River } from "../support/river.ts";
import { post, startRiver } from "./support.ts";

const BODY = 50;

function event(n: number): string {
  return JSON.stringify({ CustomerId: "c", UsageIdentifier: METER, UsageDate: "2015-05-17T10:05:03Z", Quantity: n });
}

const allOf = (count: number) => Array.from({ length: count }, (_, n) => event(n));

it("an edge that is restored from an older copy lacks what the agent delivered since: audit names it, --repair sends it again, and the upstream has each event once", async () => {
  const river = await startRiver();
  const agent = await river.startAgent({ upload: { linger_ms: 10, backoff_base_ms: 20, backoff_max_ms: 200 } });
  const audit = async (...flags: string[]): Promise<CommandResult & { readonly streams: readonly StreamAudit[] }> => {
    const env = { WEIR_API_KEY: LOCAL_KEYS.ingest };
    const args = ["audit", "--json", ...flags, "--config", agent.configFile];
    const result = await runCommand(args, { cwd: river.folder, env });
    const [line = "{}"] = result.stdout.split("\n");
    return { ...result, streams: (JSON.parse(line) as { streams: StreamAudit[] }).streams };
  };
  const deliver = async (from: number, to: number) => {
    for (let first = from; first < to; first += BODY) {
      const response = await post(agent.url, allOf(to).slice(first, Math.min(to, first + BODY)));
      expect(response.status).toBe(200);
    }
    await until(async () => (await agentLedger(agent.url))["delivered"] === to, {
      what: "the agent to deliver",
      timeoutMs: 120_000,
    });
  };

  await deliver(0, 200);
  await river.settled();
  const equal = await audit();
  expect([equal.code, equal.streams]).toMatchObject([0, [{ missing: [], extra: [], digest: "equal" }]]);
  await river.edge.stop();
  const [state, copy] = [join(river.folder, "edge"), join(river.folder, "yesterday")];
  cpSync(state, copy, { recursive: true });
  await river.edge.restart();

  // Taken by the edge, not by the upstream yet: with the edge's disk it would be lost for good.
  await river.faults([{ times: 100_000, status: 503 }]);
  await deliver(200, 350);
  const restore = async () => {
    await river.edge.stop();
    rmSync(state, { recursive: true });
    cpSync(copy, state, { recursive: true });
    await river.edge.restart();
  };
  await restore();
  await fetch(`${river.twin.url}/twin/faults`, { method: "DELETE" });

  const differing = await audit();
  expect([differing.code, differing.streams]).toMatchObject([
    1,
    [{ agent: { delivered: 350 }, edge: { positions: 200 }, missing: [[201, 350]], extra: [], digest: "equal" }],
  ]);
  const repaired = await audit("--repair");
  expect([repaired.code, repaired.streams]).toMatchObject([0, [{ missing: [[201, 350]], repaired: 150 }]]);
  expect(await audit()).toMatchObject({ code: 0, streams: [{ missing: [], extra: [], edge: { positions: 350 } }] });
  const [row] = await settledWith(river, 350);
  expect(row).toMatchObject({ accepted: 350, delivered: 350, gaps: [] });
  expect((await river.twinEvents()).sort()).toEqual(allOf(350).sort());

  // What the edge forgets after it was passed on goes upstream again, in other calls: only the vendor can tell then.
  await restore();
  expect((await audit("--repair")).code).toBe(0);
  await settledWith(river, 350);
  expect((await river.twinEvents()).sort()).toEqual([...allOf(350), ...allOf(350).slice(200)].sort());
});

async function agentLedger(url: string): Promise<Record<string, number>> {
  const status = (await (await fetch(`${url}/status`)).json()) as { ledger: Record<string, number> };
  return status.ledger;
}

async function settledWith(river: River, accepted: number) {
  return until(
    async () => {
      const rows = await river.edgeRows();
      return rows[0]?.accepted === accepted && rows[0].pending === 0 && rows;
    },
    { what: "the edge to deliver", timeoutMs: 120_000 },
  );
}
