/** Who waits for whom, in real processes: one tenant's or one stream's refused calls leave all others alone. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { until } from "../../tools/processes/until.ts";
import { LOCAL_KEYS } from "../../tools/sample/local-keys.ts";
import type { LedgerRow } from "../../worker/ledger/ledger.ts";
import { runCommand } from "../agent/support/cli.ts";
import { type River, twinSources } from "../support/river.ts";
import { INGEST_PATH, METER, STREAM, startRiver } from "./support.ts";

const FAILURES = [403, 404, 431, 500];
const CALLS_A_LANE = 250;
/** Of the neighbour's: one after the other, by turns of an edge that it has for itself and of one that it shares. */
const ROUNDS = 6;
const EVENTS_A_ROUND = 60;
const NEIGHBOUR_METER = "neighbours";
/** By turns, so that no event waits to be gathered with the stream's one before: messages about a stream go once a second. */
const NEIGHBOUR_METERS = Array.from({ length: 60 }, (_, n) => `${NEIGHBOUR_METER}-${n}`);

const event = (customer: string, n: number) =>
  JSON.stringify({
    CustomerId: customer,
    UsageIdentifier: "egress_bytes",
    UsageDate: "2015-05-17T10:05:03Z",
    Quantity: n,
  });

const badEvents = (status: number) => Array.from({ length: CALLS_A_LANE }, (_, n) => event(`bad-${status}-x`, n));

async function send(url: string, key: string, init: { path: string; body: unknown; headers?: Record<string, string> }) {
  const body = typeof init.body === "string" ? init.body : JSON.stringify(init.body);
  const headers = { "x-api-key": key, "content-type": "application/json", ...init.headers };
  const response = await fetch(url + init.path, { method: "POST", headers, body });
  if (!response.ok) throw new Error(`${init.path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Record<string, unknown>;
}

/** A second tenant with meters and keys of its own. */
async function addNeighbour(river: River): Promise<string> {
  const wanted = { name: "neighbour", tenant: "neighbour", permissions: ["METER_DATA.INGEST", "WEIR.ADMIN"] };
  const { key } = await send(river.edge.url, LOCAL_KEYS.admin, { path: "/admin/api-keys", body: wanted });
  const answer = await fetch(`${river.edge.url}/admin/catalog`, {
    method: "PUT",
    headers: { "x-api-key": String(key), "if-match": "*" },
    body: JSON.stringify({ streams: NEIGHBOUR_METERS.map((meter_global_id) => ({ meter_global_id })) }),
  });
  if (!answer.ok) throw new Error(await answer.text());
  return String(key);
}

/** A neighbour at an edge, and how long its events take there. */
interface Neighbour {
  readonly river: River;
  readonly key: string;
  sent: number;
  readonly found: number[];
}

const neighbourOf = async (river: River): Promise<Neighbour> => {
  return { river, key: await addNeighbour(river), sent: 0, found: [] };
};

/** From the post's beginning to the twin, one event after the other; nothing else gets there meanwhile. */
async function sendRound({ river, key, sent: from, found }: Neighbour): Promise<void> {
  for (let n = from; n < from + EVENTS_A_ROUND; n++) {
    const { events } = await river.twinCounts();
    const begun = performance.now();
    const path = `/meters/streaming/ingestion/${NEIGHBOUR_METERS[n % NEIGHBOUR_METERS.length]}`;
    await send(river.edge.url, key, { path, body: event("theirs", n) });
    const isThere = async () => (await river.twinCounts()).events > events;
    await until(isThere, { what: `event ${n} of the neighbour`, everyMs: 2 });
    found.push(performance.now() - begun);
  }
}

function percentile(found: readonly number[], part: number): number {
  return [...found].sort((a, b) => a - b)[Math.floor(found.length * part)] ?? 0;
}

/** Beside the same edge without anybody else: by turns, so that what this machine does besides hits both alike. */
function latencyText(alone: Neighbour, beside: Neighbour): string {
  const texts = [0.5, 0.99].map((part) => {
    const [a, b] = [percentile(alone.found, part), percentile(beside.found, part)];
    return `p${100 * part} alone ${a.toFixed(0)} ms, beside ${b.toFixed(0)} ms, ratio ${(b / a).toFixed(2)}`;
  });
  return `${texts.join("; ")}, of ${beside.found.length} events each`;
}

const rowOf = async (river: River): Promise<LedgerRow> => {
  const row = (await river.edgeRows()).find(({ stream }) => stream === STREAM);
  if (row === undefined) throw new Error(`no ledger of ${STREAM}`);
  return row;
};

test.each([
  ["answered 403, 404, 431 and 500", (status: number) => ({ status })],
  ["never answered", () => ({ delay_ms: 600_000 })],
])(
  "a tenant's thousand calls over four lanes, %s, leave its good lane and its neighbour alone",
  async (what, failure) => {
    const vars = {
      ZUORA_MAX_EVENTS: "1",
      BACKOFF_BASE_MS: "500",
      BACKOFF_MAX_MS: "5000",
      UPSTREAM_TIMEOUT_MS: "10000",
    };
    const river = await startRiver(vars);
    const beside = await neighbourOf(river);
    const alone = await neighbourOf(await startRiver(vars));
    for (const each of [alone, beside]) {
      await sendRound(each);
      each.sent += EVENTS_A_ROUND;
      each.found.length = 0;
    }

    await river.faults(
      FAILURES.map((status) => ({ contains: `bad-${status}-`, times: 1_000_000, ...failure(status) })),
    );
    for (const status of FAILURES) {
      const headers = { "zuora-entity-ids": `e${status}` };
      const body = `[${badEvents(status).join(",")}]`;
      await send(river.edge.url, LOCAL_KEYS.ingest, { path: INGEST_PATH, body, headers });
    }
    for (let round = 0; round < ROUNDS; round++) {
      for (const each of [beside, alone]) await sendRound(each);
      for (const each of [beside, alone]) each.sent += EVENTS_A_ROUND;
    }
    const good = Array.from({ length: 20 }, (_, n) => event("good", n));
    for (const text of good) {
      const headers = { "zuora-entity-ids": "good" };
      await send(river.edge.url, LOCAL_KEYS.ingest, { path: INGEST_PATH, body: text, headers });
    }
    await until(async () => (await rowOf(river)).delivered === good.length, { what: "the good lane" });
    const waiting = CALLS_A_LANE * FAILURES.length;
    expect(await rowOf(river)).toMatchObject({ accepted: waiting + good.length, pending: waiting, quarantined: 0 });
    console.log(`the neighbour's events to the twin, beside ${waiting} calls ${what}: ${latencyText(alone, beside)}`);

    const filter = { stream: STREAM };
    // A call that is on its way stays; it waits again once it has failed.
    const isWithdrawn = async () => {
      await send(river.edge.url, LOCAL_KEYS.admin, { path: "/admin/quarantine/withdraw", body: filter });
      const { pending, quarantined } = await rowOf(river);
      expect(pending + quarantined).toBe(waiting);
      return pending === 0;
    };
    await until(isWithdrawn, { what: "all that waits to be withdrawn", everyMs: 200 });
    const cleared = await fetch(`${river.twin.url}/twin/faults`, { method: "DELETE" });
    expect(cleared.ok).toBe(true);
    const replay = { ...filter, headers: { entity_ids: ["good"] } };
    for (let next: unknown = "0"; next !== null; ) {
      const body = { ...replay, cursor: next };
      const step = await send(river.edge.url, LOCAL_KEYS.admin, { path: "/admin/quarantine/replay", body });
      expect(step["refused"]).toEqual([]);
      next = step["next"];
    }
    await river.settled();
    expect(await rowOf(river)).toMatchObject({ delivered: waiting + good.length, pending: 0, quarantined: 0 });
    const arrived = (await twinSources(river.twin.url)).filter((source) => !source.includes('"theirs"'));
    expect(arrived.sort()).toEqual([...good, ...FAILURES.flatMap(badEvents)].sort());
  },
);

test("an agent's stream that the vendor refuses for its ids waits alone, is withdrawn, corrected and delivered", async () => {
  const river = await startRiver();
  const directory = join(river.folder, "to-zuora");
  const secret = join(river.folder, "secret");
  writeFileSync(secret, "twin-secret\n");
  const client = ['dialect = "zuora"', 'client_id = "twin-client"', `client_secret_file = ${JSON.stringify(secret)}`];
  const upload = { linger_ms: 0, backoff_base_ms: 50, backoff_max_ms: 500 };
  const agent = await river.startAgent({
    ...{ directory, destinationUrl: river.twin.url, destination: client, upload },
  });
  await river.faults([{ contains: "bad-403-", times: 1_000_000, status: 403 }]);
  const bad = badEvents(403);
  const good = Array.from({ length: 100 }, (_, n) => event("good", n));
  const post = (path: string, texts: readonly string[], org: string) =>
    send(agent.url, "any", { path, body: `[${texts.join(",")}]`, headers: { "zuora-org-ids": org } });
  for (let i = 0; i < 10; i++) {
    await post(INGEST_PATH, bad.slice(25 * i, 25 * i + 25), "wrong");
    await post(`/usage/bulk/${NEIGHBOUR_METER}`, good.slice(10 * i, 10 * i + 10), "right");
  }
  const ledger = async () =>
    ((await (await fetch(`${agent.url}/status`)).json()) as { ledger: Record<string, number> }).ledger;
  await until(async () => (await ledger())["delivered"] === good.length, { what: "the good stream" });
  expect(await ledger()).toMatchObject({ pending: bad.length, quarantined: 0 });
  const command = (...args: readonly string[]) =>
    runCommand([...args, "--config", agent.configFile], { cwd: directory, env: {} });
  await until(
    async () => {
      expect((await command("quarantine", "withdraw", "--stream", `usage/${METER}`)).code).toBe(0);
      return (await ledger())["quarantined"] === bad.length;
    },
    { what: "what waits to be withdrawn" },
  );
  const retried = await command("quarantine", "retry", "--status", "403", "--org-ids", "right");
  expect(retried.code, retried.stderr).toBe(0);
  await fetch(`${river.twin.url}/twin/faults`, { method: "DELETE" });
  await until(async () => (await ledger())["delivered"] === good.length + bad.length, { what: "all to be delivered" });
  expect(await ledger()).toMatchObject({ pending: 0, quarantined: 0 });
  expect((await twinSources(river.twin.url)).sort()).toEqual([...good, ...bad].sort());
});
