/** `npm run reconcile` on real processes: a hole made by hand at each hop is named, with stream, producer and positions. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import type { Finding } from "../../tools/hops/compare.ts";
import { ledgerFile } from "../../tools/local-ledger/ledger-file.ts";
import { spawnNode } from "../../tools/processes/node-process.ts";
import { until } from "../../tools/processes/until.ts";
import { LOCAL_KEYS } from "../../tools/sample/local-keys.ts";
import { INGEST_PATH, post, STREAM, sampleEvents, startRiver } from "./support.ts";

const RECONCILE = fileURLToPath(new URL("../../tools/hops/main.ts", import.meta.url));
const BODY = 10;
const EVENTS = 100;

async function setup() {
  const river = await startRiver();
  const agent = await river.startAgent({ upload: { linger_ms: 10, backoff_base_ms: 20, backoff_max_ms: 200 } });
  const buffer = join(river.folder, "agent", "buffer");
  const reconcile = async (...flags: readonly string[]) => {
    const args = [
      "--edge",
      river.edge.url,
      "--agent",
      join(buffer, "control.sock"),
      "--twin",
      river.twin.url,
      ...flags,
    ];
    const started = spawnNode(RECONCILE, args, { env: { WEIR_KEY: LOCAL_KEYS.admin } });
    const { code } = await started.exited;
    return { code, out: started.stdout(), err: started.stderr() };
  };
  /** What differs, by hop. */
  const holes = async () => {
    const { code, out, err } = await reconcile("--json");
    if (out === "") throw new Error(err);
    const { equal, findings } = JSON.parse(out) as { equal: boolean; findings: Finding[] };
    expect(equal).toBe(code === 0);
    return findings.filter(({ differences }) => differences.length > 0);
  };
  const edgeSql = (statement: string) => {
    const db = new DatabaseSync(ledgerFile(join(river.folder, "edge"), "weir"), { timeout: 10_000 });
    db.exec(statement);
    db.close();
  };
  const events = sampleEvents().slice(0, EVENTS);
  for (let from = 0; from < EVENTS; from += BODY) {
    expect((await post(agent.url, events.slice(from, from + BODY))).status).toBe(200);
  }
  await until(async () => (await statusOf(agent.url)).ledger["delivered"] === EVENTS, { what: "the agent to deliver" });
  await river.settled();
  const { producer } = await statusOf(agent.url);
  return { river, agent, buffer, events, reconcile, holes, edgeSql, producer };
}

async function statusOf(url: string) {
  return (await (await fetch(`${url}/status`)).json()) as { producer: string; ledger: Record<string, number> };
}

it("hops that agree do, in words and as JSON", async () => {
  const { reconcile, holes, producer } = await setup();
  const { code, out } = await reconcile();
  expect({ code, last: out.trim().split("\n").at(-1) }).toEqual({ code: 0, last: "all agree" });
  for (const hop of ["agent", "agent → edge", "edge", "edge → twin"])
    expect(out).toMatch(new RegExp(`^${hop} {2}${STREAM} {2}${producer} +100 +agree$`, "m"));
  expect(await holes()).toEqual([]);
});

it("an event that the twin lost is named", async () => {
  const { river, events, holes, producer } = await setup();
  await fetch(`${river.twin.url}/twin`, { method: "DELETE" });
  const form = new URLSearchParams({ grant_type: "client_credentials", client_id: "a", client_secret: "b" });
  const granted = await fetch(`${river.twin.url}/oauth/token`, { method: "POST", body: form });
  const { access_token } = (await granted.json()) as { access_token: string };
  const lost = events[41];
  const sent = await fetch(river.twin.url + INGEST_PATH, {
    method: "POST",
    headers: { authorization: `Bearer ${access_token}`, "content-type": "application/json" },
    body: `[${events.filter((event) => event !== lost).join(",")}]`,
  });
  expect(sent.status).toBe(200);
  const positions = events.flatMap((event, i) => (event === lost ? [i + 1] : []));
  expect(await holes()).toEqual([
    {
      ...{ hop: "edge → twin", stream: STREAM, producer, events: EVENTS },
      differences: [
        expect.objectContaining({ count: positions.length, positions: [[positions[0], positions.at(-1)]] }),
      ],
    },
  ]);
});

it("a batch that the edge's database lost, and positions that it forgot, are named", async () => {
  const { holes, edgeSql, producer } = await setup();
  edgeSql(
    "DELETE FROM batches WHERE first = (SELECT first FROM batches WHERE first <= 50 ORDER BY first DESC LIMIT 1)",
  );
  const [lost, ...others] = await holes();
  expect(others).toMatchObject([
    { hop: "edge → twin", differences: [{ what: expect.stringContaining("not delivered by this edge") }] },
  ]);
  expect(lost).toMatchObject({
    ...{ hop: "edge", stream: STREAM, producer },
    differences: [{ what: "counted, but not there" }],
  });
  const [[first = 0, last = 0] = []] = lost?.differences[0]?.positions ?? [];
  expect(first <= 50 && 50 <= last && lost?.differences[0]?.count === last - first + 1).toBe(true);

  edgeSql("UPDATE counters SET spans = 2; UPDATE ranges SET last = 60");
  edgeSql("INSERT INTO ranges SELECT tenant, stream, producer, 64, 100 FROM ranges");
  expect(await holes()).toContainEqual({
    ...{ hop: "agent → edge", stream: STREAM, producer, events: EVENTS },
    differences: [{ what: "missing at the edge", count: 3, positions: [[61, 63]], ids: [] }],
  });
});

it("events that the agent's log lost before they were sent are named", async () => {
  const { river, agent, buffer, holes, producer } = await setup();
  await river.edge.stop();
  expect((await post(agent.url, sampleEvents().slice(EVENTS, EVENTS + 5))).status).toBe(200);
  await agent.stop();
  const db = new DatabaseSync(join(buffer, "buffer.db"));
  db.exec("DELETE FROM pending WHERE first > 100");
  // Counts that do not agree with the rows are damage, which the agent finds itself when it starts.
  db.exec("UPDATE streams SET delivered = delivered + pending, pending = 0, pending_bytes = 0");
  db.close();
  await agent.restart();
  await river.edge.restart();
  expect(await holes()).toMatchObject([
    { hop: "agent → edge", stream: STREAM, producer, differences: [{ count: 5, positions: [[101, 105]] }] },
  ]);
});

it("an agent or edge that gives no answer is said, and is no agreement", async () => {
  const { river, reconcile } = await setup();
  expect(await reconcile("--agent", join(river.folder, "nobody.sock"))).toMatchObject({ code: 1, out: "" });
  await river.edge.stop();
  const { code, err } = await reconcile();
  expect({ code, err: err.trim() }).toEqual({ code: 1, err: `npm run reconcile: no answer from ${river.edge.url}` });
});
