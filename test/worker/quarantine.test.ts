import { beforeAll, expect, it } from "vitest";
import { event, events, setupEdge, type TestEdge } from "./support/edge.ts";

const LENIENT = { prefer: "handling=lenient, return=representation" };
let edge: TestEdge;

beforeAll(async () => {
  edge = await setupEdge();
  const fields = [
    { name: "CustomerId", type: "string", required: true },
    { name: "Quantity", type: "number", required: true },
  ];
  await edge.putCatalog({
    streams: ["thousand", "positions", "content", "replays", "twice"]
      .map((meter_global_id): Record<string, unknown> => ({ meter_global_id, fields }))
      .concat([
        {
          meter_global_id: "own-id",
          event_id_field: "EventId",
          fields: [...fields, { name: "EventId", type: "string", required: false }],
        },
      ]),
  });
});

interface Item {
  readonly id: string;
  readonly event_id: string;
  readonly event: unknown;
  readonly stream: string;
  readonly state: string;
  readonly reasons: { code: number; field?: string; index: number }[];
}

async function held(meter: string, state = "open"): Promise<Item[]> {
  const { items } = await (await edge.request(`/admin/quarantine?state=${state}&limit=1000`)).json<{ items: Item[] }>();
  return items.filter((item) => item.stream === `usage/${meter}`);
}

const replay = (id: string, body?: string) =>
  edge.request(`/admin/quarantine/${id}/replay`, { method: "POST", ...(body === undefined ? {} : { body }) });
const discard = (id: string, body = '{"reason":"a test"}') =>
  edge.request(`/admin/quarantine/${id}/discard`, { method: "POST", body });
const row = async (meter: string) => (await edge.ledger()).find((item) => item.stream === `usage/${meter}`);

it("one bad event among 1,000: strict stores nothing, lenient quarantines the one, corrected it is delivered", async () => {
  const bodies = events(1000);
  bodies[617] = event({ Quantity: "many" });
  const body = `[${bodies.join(",")}]`;
  const strict = await edge.post("thousand", body);
  expect(strict.status).toBe(400);
  expect(await strict.json()).toMatchObject({
    success: false,
    reasons: [{ code: 70000000, index: 617, field: "Quantity" }],
  });
  expect(await row("thousand")).toBeUndefined();

  const lenient = await edge.post("thousand", body, LENIENT);
  expect(lenient.headers.get("preference-applied")).toBe("handling=lenient, return=representation");
  const answer = await lenient.json<{ results: { status: string; reasons?: unknown[] }[] }>();
  expect(answer).toMatchObject({ accepted: 999, quarantined: 1, duplicates: 0, conflicts: 0 });
  expect(answer.results[617]).toMatchObject({ index: 617, status: "quarantined", reasons: [{ field: "Quantity" }] });
  await edge.services.delivery.sweep();
  expect(await row("thousand")).toMatchObject({ accepted: 1000, delivered: 999, quarantined: 1, pending: 0 });

  const [item] = await held("thousand");
  const corrected = '{"CustomerId":"cus_1",  "Quantity":617.10}';
  expect((await replay(item?.id ?? "", `{ "event" : ${corrected} }`)).status).toBe(202);
  await edge.services.delivery.sweep();
  expect(await row("thousand")).toMatchObject({ accepted: 1000, delivered: 1000, quarantined: 0, pending: 0 });
  expect((await edge.twinEvents("thousand")).filter((text) => text === corrected)).toHaveLength(1);
});

it("a body of which every event is quarantined is a 200 when lenient, and its repeat a duplicate", async () => {
  const bad = '{"CustomerId":"only-bad"}';
  expect((await edge.post("content", bad, LENIENT)).status).toBe(200);
  expect(await (await edge.post("content", bad, LENIENT)).json()).toMatchObject({ quarantined: 0, duplicates: 1 });
  expect((await edge.post("content", bad)).status, "strict").toBe(400);
});

it("what is not JSON, or no object, is 400 even when lenient", async () => {
  for (const body of ["{", "[1]", '["a"]', "null", "[{},2]"])
    expect((await edge.post("content", body, LENIENT)).status, body).toBe(400);
});

it("after a corrected replay both contents are known: by position, by own id, by content", async () => {
  const cases = [
    {
      meter: "positions",
      bad: '{"CustomerId":"x","Quantity":"1"}',
      good: '{"CustomerId":"x","Quantity":1}',
      headers: { "weir-producer": "p", "weir-sequence": "7" },
    },
    {
      meter: "own-id",
      bad: '{"EventId":"e","CustomerId":"x","Quantity":"1"}',
      good: '{"EventId":"e","CustomerId":"x","Quantity":1}',
      headers: {},
    },
    {
      meter: "content",
      bad: '{"CustomerId":"x","Quantity":"1"}',
      good: '{"CustomerId":"x","Quantity":1}',
      headers: {},
    },
  ];
  for (const { meter, bad, good, headers } of cases) {
    await edge.post(meter, bad, { ...LENIENT, ...headers });
    const [item] = (await held(meter)).slice(-1);
    expect((await replay(item?.id ?? "", `{"event":${good}}`)).status, meter).toBe(202);
    for (const body of [bad, good]) {
      const answer = await edge.post(meter, body, { ...LENIENT, ...headers });
      expect(await answer.json(), `${meter} ${body}`).toMatchObject({
        duplicates: 1,
        results: [{ id: item?.event_id }].map(() => ({ status: "duplicate" })),
      });
    }
    const other = good.replace('"x"', '"other"');
    if (meter !== "content")
      expect(await (await edge.post(meter, other, { ...LENIENT, ...headers })).json(), meter).toMatchObject({
        conflicts: 1,
      });
    await edge.services.delivery.sweep();
    expect(
      (await edge.twinEvents(meter)).filter((text) => text === good),
      meter,
    ).toHaveLength(1);
  }
});

it("a replay that is still not valid is refused and stays; uncorrected it goes once the schema takes it", async () => {
  const mine = await setupEdge();
  const fields = (required: boolean) => [{ name: "A", type: "string", required }];
  await mine.putCatalog({ streams: [{ meter_global_id: "m", fields: fields(true) }] });
  await mine.post("m", '{"B":1}', LENIENT);
  const list = async () => (await (await mine.request("/admin/quarantine")).json<{ items: Item[] }>()).items;
  const [item] = await list();
  const path = `/admin/quarantine/${item?.id}/replay`;
  expect((await mine.request(path, { method: "POST" })).status).toBe(400);
  expect((await mine.request(path, { method: "POST", body: '{"event":{"A":1}}' })).status).toBe(400);
  expect((await mine.request(path, { method: "POST", body: '{"evnt":{}}' })).status).toBe(400);
  expect(await list()).toHaveLength(1);
  await mine.putCatalog({ streams: [{ meter_global_id: "m", fields: fields(false) }] });
  expect((await mine.request(path, { method: "POST" })).status).toBe(202);
  expect((await mine.ledger())[0]).toMatchObject({ accepted: 1, pending: 1, quarantined: 0 });
});

it("each entry is settled once, stays on record, and a discarded event is still a duplicate", async () => {
  const bodies = ['{"CustomerId":"a"}', '{"CustomerId":"b"}'];
  await edge.post("twice", `[${bodies.join(",")}]`, LENIENT);
  const [first, second] = await held("twice");
  expect((await discard(first?.id ?? "", "{}")).status, "a reason is asked for").toBe(400);
  expect((await discard(first?.id ?? "")).status).toBe(200);
  expect((await discard(first?.id ?? "")).status).toBe(409);
  expect((await replay(first?.id ?? "", '{"event":{"CustomerId":"a","Quantity":1}}')).status).toBe(409);
  const good = '{"event":{"CustomerId":"b","Quantity":1}}';
  expect((await replay(second?.id ?? "", good)).status).toBe(202);
  expect((await replay(second?.id ?? "", good)).status).toBe(409);
  expect((await discard(second?.id ?? "")).status).toBe(409);
  expect(await held("twice", "discarded")).toMatchObject([{ id: first?.id, state: "discarded", reason: "a test" }]);
  expect(await held("twice", "replayed")).toMatchObject([{ id: second?.id, state: "replayed" }]);
  expect(await (await edge.post("twice", bodies[0] ?? "", LENIENT)).json()).toMatchObject({ duplicates: 1 });
  expect(await row("twice")).toMatchObject({ accepted: 2, discarded: 1, pending: 1, quarantined: 0 });
});

it("ten replays at once send the event once", async () => {
  await edge.post("replays", '{"CustomerId":"r"}', LENIENT);
  const [item] = await held("replays");
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => replay(item?.id ?? "", '{"event":{"CustomerId":"r","Quantity":1}}')),
  );
  expect(answers.map((answer) => answer.status).sort()).toEqual([202, ...Array.from({ length: 9 }, () => 409)]);
  await edge.services.delivery.sweep();
  expect(await edge.twinEvents("replays")).toHaveLength(1);
});

it("a foreign or unknown entry is 404, and another tenant's list does not show it", async () => {
  const other = await setupEdge();
  const [item] = await held("twice", "discarded");
  for (const id of [item?.id, "999999999", "x", "1e3"]) {
    expect((await other.request(`/admin/quarantine/${id}/replay`, { method: "POST" })).status).toBe(404);
    expect(
      (await other.request(`/admin/quarantine/${id}/discard`, { method: "POST", body: '{"reason":"x"}' })).status,
    ).toBe(404);
  }
  expect(await (await other.request("/admin/quarantine?state=discarded")).json()).toEqual({ items: [], next: null });
});

it("the list comes in pages that a cursor joins without hole or repeat", async () => {
  const mine = await setupEdge();
  await mine.putCatalog({ streams: [{ meter_global_id: "m" }] });
  await mine.post("m", `[${Array.from({ length: 25 }, (_, n) => `{"n":${n}}`).join(",")}]`, LENIENT);
  const seen: unknown[] = [];
  let cursor = "";
  do {
    const page = await (await mine.request(`/admin/quarantine?limit=10${cursor}`)).json<{
      items: Item[];
      next: string | null;
    }>();
    seen.push(...page.items.map((item) => item.event));
    cursor = page.next === null ? "" : `&cursor=${page.next}`;
  } while (cursor !== "");
  expect(seen).toEqual(Array.from({ length: 25 }, (_, n) => ({ n })));
  for (const query of ["limit=0", "limit=1001", "limit=x", "cursor=x", "state=lost"]) {
    expect((await mine.request(`/admin/quarantine?${query}`)).status, query).toBe(400);
  }
});
