/** What was delivered leaves the ledger in time, is found all the same, and counts no second time. */
import { describe, expect, it } from "vitest";
import type { Bindings, Nudge } from "../../worker/env.ts";
import { membersOf, parsePlace, placeText } from "../../worker/retention/archive-text.ts";
import { cutSlice } from "../../worker/retention/slice.ts";
import { ingest, meterData, predicted, pricedCatalog } from "./support/calculation.ts";
import {
  bindings,
  connectEdge,
  type EdgeOptions,
  event,
  events,
  ownIdStream,
  setupEdge,
  type TestEdge,
  twinUrl,
} from "./support/edge.ts";
import { fillings } from "./support/large-ledger.ts";

const DAY_MS = 86_400_000;

interface Aged {
  readonly edge: TestEdge;
  /** Moves the clock. */
  age(days: number): void;
  options(more?: EdgeOptions): EdgeOptions;
}

/** An edge with a clock of its own, which keeps payload for 30 days, and an archive where one is wanted. */
async function agedEdge(streams: readonly unknown[], archive: R2Bucket | null): Promise<Aged> {
  let now = Date.now();
  const options = (more: EdgeOptions = {}): EdgeOptions => ({
    ...more,
    vars: { RETAIN_DAYS: "30", ...more.vars },
    runtime: { clock: { now: () => now } },
    bindings: { ...(archive === null ? {} : { ARCHIVE: archive }), ...more.bindings },
  });
  const edge = await setupEdge(options());
  // Another test's clock was ahead of this one's.
  await bindings.LEDGER.prepare("DELETE FROM retention").run();
  expect((await edge.putCatalog({ streams })).status).toBe(200);
  return { edge, age: (days) => (now += days * DAY_MS), options };
}

const POSITION = { "weir-producer": "p", "weir-sequence": "1" };
const texts = (count: number) => events(count).map((text) => text.replace('"Quantity":', '"Quantity" : '));
const body = (items: readonly string[]) => `[${items.join(",")}]`;

async function get(edge: TestEdge, path: string) {
  const response = await edge.request(path);
  expect(response.status, path).toBe(200);
  return response.json<Record<string, unknown> & { items: Record<string, unknown>[] }>();
}

async function payloads(edge: TestEdge): Promise<string[]> {
  const { results } = await bindings.LEDGER.prepare("SELECT payload FROM batches WHERE tenant = ?1 ORDER BY first, id")
    .bind(edge.tenant)
    .all<{ payload: string }>();
  return results.map(({ payload }) => payload);
}

async function idsOf(response: Response): Promise<string[]> {
  const { results } = await response.json<{ results: { id: string }[] }>();
  return results.map(({ id }) => id);
}

const WITH_IDS = { prefer: "return=representation" };

describe.each([
  ["with an archive", "archived", bindings.ARCHIVE],
  ["without one", "removed", null],
])("%s", (_, kind, archive) => {
  it("payload leaves 30 days after delivery and not before; counts, gaps and digests stay", async () => {
    const { edge, age } = await agedEdge([{ meter_global_id: `leaves-${kind}` }], archive);
    await edge.post(`leaves-${kind}`, body(texts(20)), POSITION);
    age(10);
    await edge.services.delivery.sweep();
    const before = await edge.ledger();
    expect(before).toMatchObject([{ accepted: 20, delivered: 20 }]);
    age(29);
    await edge.services.retention.sweep();
    expect(await payloads(edge)).toEqual([texts(20).join(",")]);
    age(1.3);
    await edge.services.retention.sweep();
    expect(await payloads(edge)).toEqual([""]);
    expect(await edge.ledger()).toEqual(before);
  });

  it("what waits, and what is open in quarantine, stays whatever its age, and leaves after it was settled", async () => {
    const { edge, age } = await agedEdge([{ meter_global_id: `stays-${kind}` }], archive);
    const lenient = { ...POSITION, prefer: "handling=lenient" };
    await edge.post(`stays-${kind}`, body([...texts(2), '{"CustomerId":1}']), lenient);
    await edge.services.delivery.sweep();
    await edge.post(`stays-${kind}`, body(texts(3)), { "weir-producer": "p", "weir-sequence": "4" });
    age(100);
    await edge.services.retention.sweep();
    expect(await payloads(edge)).toEqual([texts(2).join(","), texts(3).join(",")]);
    const { items } = await get(edge, "/admin/quarantine");
    await edge.request(`/admin/quarantine/${items[0]?.["id"]}/discard`, { method: "POST", body: '{"reason":"test"}' });
    await edge.services.delivery.sweep();
    expect(await edge.twinEvents(`stays-${kind}`)).toHaveLength(5);
    age(29);
    await edge.services.retention.sweep();
    expect(await payloads(edge)).toEqual([texts(2).join(","), texts(3).join(",")]);
    age(2);
    await edge.services.retention.sweep();
    expect(await payloads(edge)).toEqual(["", ""]);
    expect(await edge.ledger()).toMatchObject([{ accepted: 6, delivered: 5, discarded: 1, pending: 0 }]);
    expect((await get(edge, "/admin/quarantine?state=discarded")).items).toMatchObject([{ event: { CustomerId: 1 } }]);
    expect((await get(edge, "/admin/events?state=discarded")).items).toMatchObject([
      { position: 3, event: { CustomerId: 1 } },
    ]);
    expect((await get(edge, "/admin/events?state=delivered")).items).toHaveLength(5);
  });

  it("a repeat of what left is a duplicate: by position, own id, key or content; under an id other content is a conflict", async () => {
    const streams = [{ meter_global_id: `again-${kind}` }, ownIdStream(`again-id-${kind}`, "Ref")];
    const { edge, age } = await agedEdge(streams, archive);
    const own = [event({ Ref: "a" }), event({ Ref: "b" })];
    const sent = [
      () => edge.post(`again-${kind}`, body(texts(5)), POSITION),
      () => edge.post(`again-${kind}`, body(texts(5)), { "idempotency-key": "k" }),
      () => edge.post(`again-${kind}`, body(texts(6).slice(5))),
      () => edge.post(`again-id-${kind}`, body(own)),
    ];
    for (const send of sent) expect((await send()).status).toBe(200);
    await edge.services.delivery.sweep();
    age(31);
    await edge.services.retention.sweep();
    expect(new Set(await payloads(edge))).toEqual(new Set([""]));
    for (const send of sent) expect(await (await send()).json()).toMatchObject({ success: true, accepted: 0 });
    // A part of it, and more that is new.
    const overlap = await edge.post(`again-${kind}`, body(texts(4)), { "weir-producer": "p", "weir-sequence": "4" });
    expect(await overlap.json()).toMatchObject({ accepted: 2, duplicates: 2 });
    expect((await edge.post(`again-id-${kind}`, body([event({ Ref: "a", Quantity: 9 })]))).status).toBe(400);
    await edge.services.delivery.sweep();
    expect((await edge.twinEvents(`again-${kind}`)).length).toBe(13);
  });
});

describe("the archive", () => {
  it("gives an event back byte for byte, by its id and in lists, with its attempts", async () => {
    const streams = [{ meter_global_id: "back" }, ownIdStream("back-id", "Ref")];
    const { edge, age } = await agedEdge(streams, bindings.ARCHIVE);
    const own = [event({ Ref: "back-a" }), event({ Ref: 'é\u2028"x' })];
    const placed = await idsOf(await edge.post("back", body(texts(7)), { ...POSITION, ...WITH_IDS }));
    const named = await idsOf(await edge.post("back-id", body(own), WITH_IDS));
    await edge.services.delivery.sweep();
    await edge.services.eventIndex.sweep(Date.now());
    const paths = [...placed, ...named].map((id) => `/admin/events/${id}`);
    const lists = ["/admin/events?stream=usage/back&limit=1000", "/admin/events?own_id=back-a"];
    const read = async () => Promise.all([...paths, ...lists].map(async (path) => (await edge.request(path)).text()));
    const before = await read();
    age(31);
    await edge.services.retention.sweep();
    expect(new Set(await payloads(edge))).toEqual(new Set([""]));
    const without = (text: string) => text.replaceAll(/"archived_at":"[^"]+",/g, "");
    const after = await read();
    expect(after.join()).toContain("archived_at");
    expect(after.map(without)).toEqual(before);
    expect(after[0]).toContain('"status":200');
    // The calls' own rows leave a day later.
    age(2);
    await edge.services.retention.sweep();
    const calls = "SELECT (SELECT count(*) FROM shipments WHERE tenant = ?1) AS left FROM json_each('[1]')";
    expect(await bindings.LEDGER.prepare(calls).bind(edge.tenant).first("left")).toBe(0);
    expect((await read()).map(without)).toEqual(before);
  });

  it("that lacks an object shows its events without their text, and fails no page", async () => {
    const { edge, age } = await agedEdge([{ meter_global_id: "lost" }], bindings.ARCHIVE);
    await edge.post("lost", body(texts(3)), POSITION);
    await edge.services.delivery.sweep();
    age(31);
    await edge.services.retention.sweep();
    const { objects } = await bindings.ARCHIVE.list({ prefix: `payload/${encodeURIComponent(edge.tenant)}/` });
    expect(objects).toHaveLength(1);
    for (const { key } of objects) await bindings.ARCHIVE.delete(key);
    const { items } = await get(edge, "/admin/events");
    expect(items).toHaveLength(3);
    expect(items[0]).toMatchObject({ event: null, state: "delivered", archived_at: expect.any(String) });
  });

  it("that does not take a slice keeps it in the ledger", async () => {
    const broken = { put: () => Promise.reject(new Error("R2 is away")) } as unknown as R2Bucket;
    const { edge, age } = await agedEdge([{ meter_global_id: "kept" }], broken);
    await edge.post("kept", body(texts(3)), POSITION);
    await edge.services.delivery.sweep();
    age(31);
    await expect(edge.services.retention.sweep()).rejects.toThrow("R2 is away");
    expect(await payloads(edge)).toEqual([texts(3).join(",")]);
  });

  it("has every payload after a death between any two steps, and a row that left names it", async () => {
    for (let moment = 0; ; moment++) {
      const aged = await agedEdge([{ meter_global_id: "death" }], bindings.ARCHIVE);
      const { edge, age } = aged;
      for (let first = 1; first <= 5; first += 2)
        await edge.post("death", body(texts(2)), { "weir-producer": "p", "weir-sequence": String(first) });
      await edge.services.delivery.sweep();
      const before = (await get(edge, "/admin/events?limit=1000")).items.map((item) => item["event"]);
      age(31);
      const { died, ...mortals } = mortal(moment);
      const dying = connectEdge(edge.tenant, aged.options({ bindings: mortals }));
      await dying.services.retention.sweep().catch(() => undefined);
      const read = async () => (await get(edge, "/admin/events?limit=1000")).items.map((item) => item["event"]);
      expect(await read(), `died at ${died()}`).toEqual(before);
      await edge.services.retention.sweep();
      expect(new Set(await payloads(edge)), `died at ${died()}`).toEqual(new Set([""]));
      expect(await read(), `died at ${died()}`).toEqual(before);
      if (died() === null) break;
      expect(moment).toBeLessThan(100);
    }
  });
});

/** D1 and R2 that die at a moment, two a step: before, after. */
function mortal(momentOfDeath: number) {
  let moment = 0;
  let dead: string | null = null;
  const pass = (name: string) => {
    if (dead !== null) throw new Error(dead);
    if (moment++ === momentOfDeath) {
      dead = name;
      throw new Error(name);
    }
  };
  const step = async <T>(name: string, run: () => Promise<T>): Promise<T> => {
    pass(`before ${name}`);
    const result = await run();
    pass(`after ${name}`);
    return result;
  };
  const db = bindings.LEDGER;
  const LEDGER = {
    prepare: (sql: string) => db.prepare(sql),
    batch: (statements: D1PreparedStatement[]) => step("a batch", () => db.batch(statements)),
  } as D1Database;
  const ARCHIVE = {
    put: (key: string, value: Uint8Array) => step("a put", () => bindings.ARCHIVE.put(key, value)),
    get: (key: string, options: R2GetOptions) => bindings.ARCHIVE.get(key, options),
  } as unknown as R2Bucket;
  return { LEDGER, ARCHIVE, died: () => dead };
}

it("without an archive an event is named as removed, with when, and found by whatever made it known", async () => {
  const { edge, age } = await agedEdge([{ meter_global_id: "removed" }, ownIdStream("removed-id", "Ref")], null);
  const [placed = ""] = await idsOf(await edge.post("removed", body(texts(3)), { ...POSITION, ...WITH_IDS }));
  const [named = ""] = await idsOf(await edge.post("removed-id", body([event({ Ref: "gone" })]), WITH_IDS));
  const reference = JSON.stringify({
    meter_reference: "api-traffic",
    customer_reference: "cus_1",
    timestamp: "2026-11-20T10:00:00Z",
    meter_values: [{ reference: "requests", number: "1" }],
    reference: "gone-reference-1",
  });
  const headers = { "content-type": "application/json" };
  const postMeterData = () => edge.request("/v1/ingest/meter-data", { method: "POST", headers, body: reference });
  const resource = await (await postMeterData()).json<{
    id: string;
  }>();
  await edge.services.delivery.sweep();
  await bindings.LEDGER.prepare("DELETE FROM outbox WHERE tenant = ?1").bind(edge.tenant).run();
  age(31);
  await edge.services.retention.sweep();
  for (const id of [placed, named]) {
    const found = await get(edge, `/admin/events/${id}`);
    expect(found).toMatchObject({ id, state: "delivered", event: null });
    expect(Date.parse(String(found["removed_at"]))).toBeGreaterThan(Date.now() + 30 * DAY_MS);
  }
  // The calls leave a day later; without an archive their attempts are gone.
  age(2);
  await edge.services.retention.sweep();
  expect(await get(edge, `/admin/events/${placed}`)).toMatchObject({ state: "delivered", attempts: [] });
  expect((await get(edge, "/admin/events?stream=usage/removed")).items).toMatchObject([
    { id: placed, position: 1, event: null },
    { position: 2, event: null },
    { position: 3, event: null },
  ]);
  expect((await get(edge, "/admin/events?stream=usage/removed-id")).items).toMatchObject([{ id: null, event: null }]);
  expect((await get(edge, "/admin/events?customer=cus_1")).items).toEqual([]);
  expect(await get(edge, `/v1/events/${resource.id}`)).toMatchObject({
    object_type: "METER_DATA",
    id: resource.id,
    payload: null,
  });
  const again = await postMeterData();
  expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([201, "true"]);
  expect(await again.json()).toMatchObject({ id: resource.id, reference: "gone-reference-1" });
});

describe("a slice", () => {
  const looked = (id: number, more = {}) => ({ id, tenant: "t", octets: 100, settled: 5, ...more });

  it("ends before the bytes or tenants that it takes, and always takes one batch", () => {
    const large = [1, 2, 3].map((id) => looked(id, { octets: 1_500_000 }));
    expect(cutSlice(large, 10, 99)).toEqual({ leaving: [1], late: [], bytes: 1_500_000, mark: 1 });
    const tenants = Array.from({ length: 40 }, (_, i) => looked(i + 1, { tenant: `t${i}` }));
    expect(cutSlice(tenants, 10, 99)).toMatchObject({ mark: 16 });
    expect(cutSlice([], 10, 99)).toBeNull();
  });

  it("passes over what waits or was settled too lately, and says when to look again", () => {
    const slice = cutSlice([looked(1), looked(2, { settled: null }), looked(3, { settled: 11 }), looked(4)], 10, 99);
    expect(slice).toEqual({
      leaving: [1, 4],
      late: [
        [2, 99],
        [3, 99],
      ],
      bytes: 200,
      mark: 4,
    });
  });
});

it("small batches share a member of the archive, and a place is read as it was written", () => {
  const lines = Array.from({ length: 10 }, (_, i) => ({ i, text: "x".repeat(20_000) }));
  expect(membersOf(lines).map((member) => member.length)).toEqual([4, 4, 2]);
  const place = { object: "payload/a b/2026/1-x.ndjson.gz", offset: 12, length: 34 };
  expect(parsePlace(placeText(place))).toEqual(place);
  expect(parsePlace("nonsense")).toBeNull();
});

it("what events cost is the same before and after their payload left, folded or not", async () => {
  let now = Date.now();
  const upstream = { SOLVIMON_BASE_URL: twinUrl(), SOLVIMON_API_KEY: "twin-key" };
  const edge = await setupEdge({ vars: upstream, runtime: { clock: { now: () => now } } });
  await bindings.LEDGER.prepare("DELETE FROM retention").run();
  await edge.putCatalog(pricedCatalog());
  const probe = meterData("SUM", "700.25", { timestamp: "2026-03-20T12:00:00Z" });
  const send = async (from: number) => {
    for (let i = from; i < from + 5; i++) {
      const datum = meterData("SUM", `${i * 31}.5`, {
        reference: `priced-event-${i}`,
        timestamp: `2026-03-1${i}T12:00:00Z`,
      });
      expect((await ingest(edge, datum)).status).toBe(201);
    }
  };
  await send(0);
  await edge.services.usageFold.fold(edge.tenant);
  await send(5);
  await edge.services.delivery.sweep();
  const before = await predicted(edge, probe);
  now += 35 * DAY_MS;
  await edge.services.retention.sweep();
  await edge.services.retention.sweep();
  expect(new Set(await payloads(edge))).toEqual(new Set([""]));
  expect(await predicted(edge, probe)).toEqual(before);
  await edge.services.usageFold.fold(edge.tenant);
  expect(await predicted(edge, probe)).toEqual(before);
});

it("the clock has it done, and what one invocation leaves a message has another go on with", async () => {
  const { default: worker } = await import("../../worker/index.ts");
  await bindings.LEDGER.prepare("DELETE FROM retention").run();
  const tenant = `by-the-clock-${crypto.randomUUID()}`;
  const none = { keys: 0, facts: 0, gaps: 0, pending: 0, quarantined: 0 };
  const size = { ...none, tenant, batches: 60, eventsABatch: 1_000, producers: 2, spanMs: DAY_MS };
  for (const { sql, values } of fillings({ ...size, now: Date.now() - 40 * DAY_MS }))
    await bindings.LEDGER.prepare(sql)
      .bind(...values)
      .run();
  const sent: unknown[] = [];
  const NUDGES = { send: async (body: unknown) => void sent.push(body) } as unknown as Queue;
  const own = { LEDGER: bindings.LEDGER, NUDGES } as unknown as Bindings;
  const context = { waitUntil() {}, passThroughOnException() {}, props: {} } as unknown as ExecutionContext;
  const left = () =>
    bindings.LEDGER.prepare("SELECT count(*) AS n FROM batches WHERE tenant = ?1 AND payload <> ''")
      .bind(tenant)
      .first("n");
  await worker.scheduled({} as ScheduledController, own, context);
  expect(await left()).toBe(0);
  let acknowledged = 0;
  const message = { body: { tenant: "", stream: "retention" }, ack: () => acknowledged++, retry() {} };
  await worker.queue({ queue: "weir-nudges", messages: [message] } as unknown as MessageBatch<Nudge>, own, context);
  expect(acknowledged).toBe(1);
});
