/** A client whose answer was cut off sends its request again: the agent takes each such body once. */
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { EVENT, eventNumber, events, type Setup, setup } from "./support/setup.ts";
import { solvimonEvent } from "./support/solvimon-events.ts";

const PATH = "/meters/streaming/ingestion/m";
const SHOWN = { prefer: "return=representation" };
const NDJSON = { "content-type": "application/x-ndjson" };

async function counts(agent: Setup, body: string | Uint8Array, headers: Record<string, string> = {}, path = PATH) {
  const response = await agent.post(path, body, headers);
  const answer = (await response.json()) as Record<string, number>;
  expect(response.status, JSON.stringify(answer)).toBe(200);
  const { accepted, duplicates, conflicts, quarantined } = answer;
  return { accepted, duplicates, conflicts, quarantined };
}

const taken = (count: number) => ({ accepted: count, duplicates: 0, conflicts: 0, quarantined: 0 });
const known = (count: number) => ({ accepted: 0, duplicates: count, conflicts: 0, quarantined: 0 });

test("a body that comes again, byte for byte, is answered as duplicates and not accepted again, after a restart too", async () => {
  await using agent = await setup();
  const lines = events(1000).join("\n");
  expect(await counts(agent, lines, NDJSON)).toEqual(taken(1000));
  expect(await counts(agent, lines, NDJSON)).toEqual(known(1000));
  await agent.restart();
  expect(await counts(agent, gzipSync(lines), { ...NDJSON, "content-encoding": "gzip" })).toEqual(known(1000));
  expect((await agent.drained()).ledger.accepted).toBe(1000);
  expect(agent.destination.taken.size).toBe(1000);
  expect(agent.destination.calls.every(({ headers }) => headers["idempotency-key"] === undefined)).toBe(true);
});

test("two that come at once are one", async () => {
  await using agent = await setup();
  const body = `[${events(50).join(",")}]`;
  const both = await Promise.all([counts(agent, body), counts(agent, body)]);
  expect(both.map(({ accepted }) => accepted).sort()).toEqual([0, 50]);
});

test("another stream, other ids and other bytes are another body; the two paths of a stream are one", async () => {
  await using agent = await setup();
  const entity = (id: string) => ({ "zuora-entity-ids": id });
  expect(await counts(agent, EVENT)).toEqual(taken(1));
  expect(await counts(agent, EVENT, {}, "/usage/bulk/m")).toEqual(known(1));
  expect(await counts(agent, EVENT, {}, "/usage/bulk/other")).toEqual(taken(1));
  expect(await counts(agent, EVENT, entity("e1"))).toEqual(taken(1));
  expect(await counts(agent, EVENT, entity("e2"))).toEqual(taken(1));
  expect(await counts(agent, EVENT, entity("e2"))).toEqual(known(1));
  expect(await counts(agent, `${EVENT} `)).toEqual(taken(1));
});

test("each event of a repeat has the id that it was given at first, those in quarantine too", async () => {
  await using agent = await setup();
  const bad = '{"CustomerId":"c"}';
  const body = `[${eventNumber(1)},${bad},${eventNumber(2)}]`;
  const headers = { prefer: "return=representation, handling=lenient" };
  const answers = [await agent.post(PATH, body, headers), await agent.post(PATH, body, headers)];
  const [first, second] = (await Promise.all(answers.map((answer) => answer.json()))) as {
    results: { id: string; status: string }[];
  }[];
  expect(first?.results.map(({ status }) => status)).toEqual(["accepted", "quarantined", "accepted"]);
  expect(second?.results.map(({ status }) => status)).toEqual(["duplicate", "duplicate", "duplicate"]);
  expect(second?.results.map(({ id }) => id)).toEqual(first?.results.map(({ id }) => id));
  // What is not valid is refused as often as it is sent strictly.
  expect((await agent.post(PATH, body)).status).toBe(400);
  expect((await agent.agent.status()).ledger).toMatchObject({ accepted: 3, quarantined: 1 });
});

test("under an Idempotency-Key the key alone decides what is a repeat", async () => {
  await using agent = await setup();
  expect(await counts(agent, EVENT, { "idempotency-key": "a" })).toEqual(taken(1));
  expect(await counts(agent, EVENT, { "idempotency-key": "b" })).toEqual(taken(1));
  expect(await counts(agent, EVENT, { "idempotency-key": "a" })).toEqual(known(1));
  expect(await counts(agent, EVENT)).toEqual(taken(1));
});

test("where contents are not compared each body is a new one", async () => {
  const streams = [{ meter_global_id: "m", deduplicate_by_content: false }, { meter_global_id: "other" }];
  const settings = { deduplicate_by_content: { charge: false } };
  await using agent = await setup({ schemas: { streams, settings } });
  for (const [path, again] of [
    [PATH, taken(1)],
    ["/usage/bulk/other", known(1)],
  ] as const) {
    expect(await counts(agent, EVENT, {}, path)).toEqual(taken(1));
    expect(await counts(agent, EVENT, {}, path)).toEqual(again);
  }
  const charge = solvimonEvent("charge", '"timestamp":"2026-01-02T03:04:05Z"');
  const isReplay = async () => {
    const response = await agent.post("/v1/ingest/charge-data", charge);
    expect(response.status).toBe(201);
    return response.headers.get("idempotent-replayed");
  };
  expect([await isReplay(), await isReplay()]).toEqual([null, null]);
});

const METER_DATA = (time = "") => solvimonEvent("meter-data", time);

test("a Solvimon event without a time of its own happens each time it comes; one with a time once", async () => {
  await using agent = await setup();
  const post = async (body: string) => {
    const response = await agent.post("/v1/events/ingest", body, SHOWN);
    expect(response.status).toBe(201);
    return {
      id: ((await response.json()) as { id: string }).id,
      replayed: response.headers.get("idempotent-replayed"),
    };
  };
  const [now, again] = [await post(METER_DATA()), await post(METER_DATA())];
  expect(again.id).not.toBe(now.id);
  const timed = METER_DATA('"timestamp":"2026-01-02T03:04:05Z"');
  const first = await post(timed);
  expect(await post(timed)).toEqual({ id: first.id, replayed: "true" });
  expect((await agent.agent.status()).ledger.accepted).toBe(3);
  // One event of a list that has none makes the whole list a new one.
  const list = `{"meter_datas":[${timed},${METER_DATA()}]}`;
  for (let i = 0; i < 2; i++) expect(await counts(agent, list, {}, "/v1/ingest/meter-datas")).toEqual(taken(2));
});

test("a repeat needs no room: it is answered where the buffer is full", async () => {
  await using agent = await setup({ buffer: 'max_bytes = "1 MiB"', reply: () => ({ status: 503 }) });
  expect(await counts(agent, EVENT)).toEqual(taken(1));
  for (let first = 0; ; first += 1000) {
    const { status } = await agent.post(PATH, `[${events(1000, first).join(",")}]`);
    if (status === 429) break;
    expect(status).toBe(200);
  }
  expect(await counts(agent, EVENT)).toEqual(known(1));
});

test("a position of its own is refused as before", async () => {
  await using agent = await setup();
  const headers = { "weir-producer": "p", "weir-sequence": "1" };
  expect((await agent.post(PATH, EVENT, headers)).status).toBe(400);
});
