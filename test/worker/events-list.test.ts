/** Events read back by their admin: filters, cursors, and one event with every attempt to deliver it. */
import { beforeAll, describe, expect, it } from "vitest";
import { bindings, connectEdge, setupEdge, type TestEdge, twinUrl } from "./support/edge.ts";

interface Listed {
  readonly id: string;
  readonly stream: string;
  readonly producer?: string;
  readonly position?: number;
  readonly state: string;
  readonly received_at: string;
  readonly batch: { readonly id: string; readonly entry: number };
  readonly event: Record<string, unknown>;
  readonly attempts?: readonly Attempt[];
}
interface Attempt {
  readonly call: string;
  readonly attempt: number;
  readonly at: string;
  readonly status: number | null;
  readonly verdict: string;
}
interface Page {
  readonly items: Listed[];
  readonly next: string | null;
}

const VARS = { SOLVIMON_BASE_URL: twinUrl(), SOLVIMON_API_KEY: "twin-key", BACKOFF_BASE_MS: "1000" };
const REPRESENTATION = { prefer: "return=representation" };
const LENIENT = { prefer: "handling=lenient, return=representation" };
const START = Date.parse("2026-11-21T12:00:00Z");
let now = START;
const runtime = { clock: { now: () => now } };
/** Bodies of one millisecond have no order among themselves; each gets its own. */
const tick = () => {
  now += 1;
};

const page = async (edge: TestEdge, query: string): Promise<Page> =>
  (await edge.request(`/admin/events${query}`)).json<Page>();
const one = async (edge: TestEdge, id: string): Promise<Listed> =>
  (await edge.request(`/admin/events/${id}`)).json<Listed>();
const numbers = ({ items }: Pick<Page, "items">) => items.map((item) => item.event["n"]);

/** All pages, joined; `between` runs after each of them. */
async function pages(edge: TestEdge, query: string, between = async () => {}): Promise<Listed[]> {
  const all: Listed[] = [];
  for (let at = "", turn = 0; ; turn++) {
    if (turn > 1_000) throw new Error("the list does not end");
    const { items, next } = await page(edge, `?${query}${at}`);
    all.push(...items);
    await between();
    if (next === null) break;
    at = `&cursor=${next}`;
  }
  return all;
}

const CHARGE = {
  product_item_id: "p",
  pricing_id: "p",
  pricing_item_id: "p",
  pricing_item_config_id: "p",
  value: { number: "1" },
};
function post(edge: TestEdge, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  tick();
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  return edge.request(`/v1/ingest/${path}`, { method: "POST", headers, body: bytes });
}
/** Takes usage events `{"n":…}` and tells their ids. */
async function take(edge: TestEdge, meter: string, ns: readonly number[], headers: Record<string, string> = {}) {
  const body = `[${ns.map((n) => JSON.stringify({ n, pad: "x".repeat(20) })).join(",")}]`;
  tick();
  const answer = await edge.post(meter, body, { ...REPRESENTATION, ...headers });
  return (await answer.json<{ results: { id: string }[] }>()).results.map((result) => result.id);
}
const range = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i);
const FIELDS = [{ name: "n", type: "integer", required: true }];
const OWN = {
  meter_global_id: "own",
  event_id_field: "eid",
  fields: [...FIELDS, { name: "eid", type: "string", required: false }],
};
async function edgeWith(...meters: string[]): Promise<TestEdge> {
  const edge = await setupEdge({ vars: VARS, runtime });
  await edge.putCatalog({ streams: meters.map((meter_global_id) => ({ meter_global_id, fields: FIELDS })) });
  return edge;
}

describe("filters", () => {
  let edge: TestEdge;
  beforeAll(async () => {
    now = START;
    edge = await edgeWith("a", "b");
    await take(edge, "a", [1, 2]);
    await edge.services.delivery.sweep();
    now = START + 59_999;
    await take(edge, "a", [3], { "weir-producer": "p1", "weir-sequence": "7" });
    await take(edge, "b", [4], { "weir-producer": "p1", "weir-sequence": "1" });
    now = START + 120_000;
    await take(edge, "b", [5], { "weir-producer": "p2", "weir-sequence": "1" });
    await post(edge, "charge-data", { ...CHARGE, n: 6 });
    for (const n of ["seven", "eight"]) {
      tick();
      await edge.post("b", JSON.stringify({ n }), LENIENT);
    }
    const held = await (await edge.request("/admin/quarantine")).json<{ items: { id: string }[] }>();
    await edge.request(`/admin/quarantine/${held.items[1]?.id}/discard`, { method: "POST", body: '{"reason":"x"}' });
  });

  const iso = (offset: number) => encodeURIComponent(new Date(START + offset).toISOString());
  it.each<[string, string, readonly unknown[]]>([
    ["nothing", "", [1, 2, 3, 4, 5, 6, "seven", "eight"]],
    ["a usage stream", "stream=usage/a", [1, 2, 3]],
    ["a Solvimon stream", "stream=charge", [6]],
    ["a stream without events", "stream=usage/none", []],
    ["a producer", "producer=p1", [3, 4]],
    ["a producer and a stream", "producer=p1&stream=usage/b", [4]],
    ["delivered", "state=delivered", [1, 2]],
    ["pending", "state=pending", [3, 4, 5, 6]],
    ["quarantined", "state=quarantined", ["seven"]],
    ["discarded", "state=discarded", ["eight"]],
    ["a state and a stream", "state=pending&stream=usage/b", [4, 5]],
    ["from, inclusive", `from=${iso(60_000)}`, [3, 4, 5, 6, "seven", "eight"]],
    ["to, inclusive", `to=${iso(60_001)}`, [1, 2, 3, 4]],
    ["from and to", `from=${iso(2)}&to=${iso(60_001)}`, [3, 4]],
    [
      "from and to of one moment with another offset",
      `from=${encodeURIComponent("2026-11-21T14:01:00+02:00")}&to=${iso(60_001)}`,
      [3, 4],
    ],
    ["all together", `stream=usage/b&producer=p2&state=pending&from=${iso(1)}&to=${iso(200_000)}`, [5]],
  ])("%s", async (_what, query, expected) => {
    expect(numbers(await page(edge, `?${query}`))).toEqual(expected);
    expect(
      (await pages(edge, `limit=1&${query}`)).map((item) => item.event["n"]),
      "one by one",
    ).toEqual(expected);
  });

  it("an item carries its stream, producer, position, batch, state and time, and its event to the letter", async () => {
    const { items } = await page(edge, "?producer=p1&stream=usage/a");
    expect(items).toEqual([
      {
        id: expect.stringMatching(/^usev_/),
        stream: "usage/a",
        producer: "p1",
        position: 7,
        state: "pending",
        received_at: new Date(START + 60_000).toISOString(),
        batch: { id: expect.any(String), entry: 0 },
        event: { n: 3, pad: "x".repeat(20) },
      },
    ]);
    const exact = await edgeWith("exact");
    await exact.post("exact", '{ "n" :1 ,"big":12345678901234567890.10}');
    expect(await (await exact.request("/admin/events")).text()).toContain('{ "n" :1 ,"big":12345678901234567890.10}');
  });

  it.each([
    "state=lost",
    "from=yesterday",
    "to=2026-02-30T00:00:00Z",
    "limit=0",
    "limit=1001",
    "cursor=x",
    "cursor=1.2.3",
    "cursor=-1",
    "cursor=0123456789.1~",
    "stat=pending",
    "customer_id=cus_1",
    "stream=usage/a&ownid=x",
  ])("%s is a 400", async (query) => expect((await edge.request(`/admin/events?${query}`)).status).toBe(400));
});

describe("what an event is known by", () => {
  let edge: TestEdge;
  beforeAll(async () => {
    now = START;
    edge = await setupEdge({ vars: VARS, runtime });
    const named = { meter_global_id: "named", fields: FIELDS, customer_field: "Account" };
    await edge.putCatalog({ streams: [{ meter_global_id: "m", fields: FIELDS }, named, OWN] });
    const send = async (meter: string, body: string, headers: Record<string, string> = {}) => {
      tick();
      expect((await edge.post(meter, body, { ...LENIENT, ...headers })).status).toBe(200);
    };
    await send("own", '[{"n":1,"eid":"e1"},{"n":2,"eid":"e2"},{"n":"bad","eid":"e3"}]');
    await send("own", '{"n":4,"eid":"e4"}', { "weir-producer": "p", "weir-sequence": "1" });
    await send("m", '[{"n":5},{"n":6}]', { "idempotency-key": "night" });
    await send("own", '[{"n":7,"eid":"e7"},{"n":8}]', { "idempotency-key": "night" });
    await send("m", '[{"n":9,"CustomerId":"caf\\u00e9"},{"n":10,"CustomerId":42},{"n":11,"CustomerId":"cafe"}]');
    await send(
      "named",
      '[{"n":12,"Account":"café","CustomerId":"other"},{"n":13,"CustomerId":"café"},{"n":"b","Account":"café"}]',
    );
    await post(edge, "charge-data", { ...CHARGE, n: 14, reference: "e1", customer_reference: "café" });
    await post(edge, "charge-data", { ...CHARGE, n: 15, customer_id: "café" }, { "idempotency-key": "night" });
  });

  it.each<[string, string, readonly unknown[]]>([
    ["an own id, in every stream", "own_id=e1", [1, 14]],
    ["an own id in one stream", "own_id=e1&stream=charge", [14]],
    ["an own id of an event in quarantine", "own_id=e3", ["bad"]],
    ["an own id and a state", "own_id=e3&state=pending", []],
    ["an own id and a producer", "own_id=e4&producer=p", [4]],
    ["an own id that none has", "own_id=e5", []],
    ["a key: all events of its requests", "key=night", [5, 6, 7, 8, 15]],
    ["a key in one stream", "key=night&stream=usage/m", [5, 6]],
    ["a key that none came with", "key=nigh", []],
    ["an own id and a key", "own_id=e7&key=night", [7]],
    ["an own id that came with another key or none", "own_id=e1&key=night", []],
    [
      "a customer, however it is written and wherever it is named",
      `customer=${encodeURIComponent("café")}`,
      [9, 12, "b", 14, 15],
    ],
    ["a customer by a number", "customer=42", [10]],
    ["a customer in one stream", `customer=${encodeURIComponent("café")}&stream=usage/named&state=pending`, [12]],
    ["a customer that none names", "customer=caf", []],
  ])("%s", async (_what, query, expected) => {
    expect(numbers(await page(edge, `?${query}`))).toEqual(expected);
    expect(
      (await pages(edge, `limit=1&${query}`)).map((item) => item.event["n"]),
      "one by one",
    ).toEqual(expected);
  });
});

it.each(["/admin/quarantine", "/admin/ledger", "/admin/stats", "/admin/api-keys", "/admin/catalog", "/admin/events"])(
  "%s refuses a filter that it does not know",
  async (path) => {
    const edge = await edgeWith("m");
    expect((await edge.request(path)).status).toBe(200);
    const refused = await edge.request(`${path}?stat=open`);
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ reasons: [{ field: "stat" }] });
  },
);

it("a list over more streams than a cursor can hold asks for one", async () => {
  const edge = await edgeWith("a");
  for (const n of range(3)) await take(edge, "a", [n]);
  const names = range(501).map((i) => `('${edge.tenant}', 'usage/s${String(i).padStart(3, "0")}', '')`);
  await bindings.LEDGER.prepare(`INSERT INTO counters (tenant, stream, producer) VALUES ${names.join(",")}`).run();
  const refused = await edge.request("/admin/events");
  expect(refused.status, "more streams than a cursor holds").toBe(400);
  expect(numbers(await page(edge, "?stream=usage/a"))).toEqual(range(3));
});

describe("cursors", () => {
  it.each([1, 7, 100, 1000])(
    "pages of %i join without hole or repeat over batches of every size and stream",
    async (limit) => {
      now = START;
      const edge = await edgeWith("a", "b");
      const expected: number[] = [];
      for (const size of [1, 3, 20, 1, 150, 2, 60, 1, 1]) {
        const from = expected.length;
        expected.push(...range(size, from));
        await take(edge, from % 2 === 0 ? "a" : "b", range(size, from));
      }
      expect((await pages(edge, `limit=${limit}`)).map((item) => item.event["n"])).toEqual(expected);
    },
  );

  it("many small batches of several streams and one page after another: none is left out", async () => {
    const edge = await edgeWith("a", "b");
    for (const n of range(90)) await take(edge, n % 9 === 0 ? "b" : "a", [n]);
    // Above and below what is read at once from each stream.
    for (const limit of [13, 50, 1000])
      expect((await pages(edge, `limit=${limit}`)).map((item) => item.event["n"])).toEqual(range(90));
    const rare = await pages(edge, "limit=3&stream=usage/b");
    expect(rare.map((item) => item.event["n"])).toEqual(range(10).map((n) => n * 9));
  });

  it("while events arrive between the pages, what was there comes once each, and what came is at the end", async () => {
    const edge = await edgeWith("a", "b");
    let next = 0;
    const more = async () => {
      if (next >= 120) return;
      await take(edge, next % 3 === 0 ? "b" : "a", range(4, next));
      next += 4;
    };
    for (let i = 0; i < 8; i++) await more();
    expect((await pages(edge, "limit=5", more)).map((item) => item.event["n"])).toEqual(range(next));
    expect(next).toBeGreaterThan(60);
  });

  it("although bodies of one millisecond arrive between the pages, what was there comes once each", async () => {
    const edge = await edgeWith("a", "b");
    const at = now + 10;
    let next = 0;
    const more = async () => {
      now = at - 1;
      if (next < 200) await take(edge, next % 8 === 0 ? "b" : "a", range(4, next));
      next += 4;
    };
    for (let i = 0; i < 25; i++) await more();
    const seen = (await pages(edge, "limit=5", more)).map((item) => item.event["n"]);
    expect(new Set(seen).size, "nothing twice").toBe(seen.length);
    expect(seen).toEqual(expect.arrayContaining(range(100)));
  });

  it("delivery between the pages moves no event: a cursor stands where it stood", async () => {
    const edge = await edgeWith("a");
    await take(edge, "a", range(30));
    const first = await page(edge, "?limit=10");
    await edge.services.delivery.sweep();
    const second = await page(edge, `?limit=10&cursor=${first.next}`);
    expect([...numbers(first), ...numbers(second)]).toEqual(range(20));
    expect(second.items.map((item) => item.state)).toEqual(range(10).map(() => "delivered"));
    expect(numbers(await page(edge, `?limit=10&cursor=${first.next}`)), "again").toEqual(numbers(second));
  });

  it("an event that commits after its neighbours, though drawn before them, does not slip behind a cursor", async () => {
    const edge = await edgeWith("a", "b");
    await take(edge, "a", [1, 2]);
    await take(edge, "b", [3]);
    const all = await page(edge, "?limit=2");
    const ofStream = await page(edge, "?limit=1&stream=usage/a");
    expect(all.next).not.toBeNull();
    // Requests that drew their ids earlier, and whose commits come last: of streams the cursor has passed and not.
    const end = now;
    now = end - 1_000;
    await take(edge, "a", [4]);
    await post(edge, "charge-data", { ...CHARGE, n: 5 });
    now = end + 10;
    expect(new Set(numbers(await page(edge, `?cursor=${all.next}`)))).toEqual(new Set([3, 4, 5]));
    expect(numbers(await page(edge, `?stream=usage/a&cursor=${ofStream.next}`))).toEqual([2, 4]);
  });

  it("Solvimon's own list holds its kinds only, in the same pages", async () => {
    const edge = await edgeWith("a");
    for (const n of range(12)) {
      await post(edge, "charge-data", { ...CHARGE, n });
      await take(edge, "a", [n]);
      await post(edge, "adjustment-data", { product_item_id: "p", amount: { quantity: "1", currency: "EUR" }, n });
    }
    const all: { object_type: string; n: number }[] = [];
    for (let next: string | null = ""; next !== null; ) {
      const at: string = next === "" ? "" : `&cursor=${next}`;
      const answer: { items: { object_type: string; n: number }[]; next: string | null } = await (
        await edge.request(`/v1/events?limit=5${at}`)
      ).json();
      all.push(...answer.items);
      next = answer.next;
    }
    expect(all.map((item) => [item.object_type, item.n])).toEqual(
      range(12).flatMap((n) => [
        ["CHARGE_DATA", n],
        ["ADJUSTMENT_DATA", n],
      ]),
    );
  });
});

describe("one event", () => {
  /** Fails the calls that carry the text, each with the next status; null cuts the connection after taking. */
  const fail = (contains: string, statuses: readonly (number | null)[]) =>
    fetch(`${twinUrl()}/twin/faults`, {
      method: "POST",
      body: JSON.stringify(
        statuses.map((status) => ({ times: 1, contains, ...(status === null ? { drop: "after" } : { status }) })),
      ),
    });
  const sweeps = async (edge: TestEdge, count: number) => {
    for (let i = 0; i < count; i++) {
      await edge.services.delivery.sweep();
      now += 3_600_000;
    }
  };

  it.each<[string, Record<string, string>, Record<string, unknown>]>([
    ["an own id", {}, { reference: "own" }],
    ["an Idempotency-Key", { "idempotency-key": "key" }, {}],
    ["its content", {}, {}],
    ["its position alone", { "weir-producer": "p", "weir-sequence": "41" }, {}],
  ])("known by %s is found by its id with every attempt and its outcome", async (_by, headers, own) => {
    now = START;
    const edge = await edgeWith();
    const marked = {
      ...CHARGE,
      note: edge.tenant,
      ...(own["reference"] === undefined ? {} : { reference: `own-${edge.tenant}` }),
    };
    const { id } = await (await post(edge, "charge-data", marked, headers)).json<{ id: string }>();
    expect(await one(edge, id)).toMatchObject({ id, stream: "charge", state: "pending", attempts: [] });
    await fail(edge.tenant, [503, 500, null]);
    await sweeps(edge, 5);
    const found = await one(edge, id);
    expect(found).toMatchObject({ id, state: "delivered", event: marked });
    expect(found.attempts?.map(({ attempt, status }) => [attempt, status])).toEqual([
      [1, 503],
      [2, 500],
      [3, null],
      [4, 201],
    ]);
    expect(found.attempts?.at(-1)?.verdict).toBe("delivered");
    expect(new Set(found.attempts?.map((attempt) => attempt.call)).size, "one call, repeated").toBe(1);
    const times = found.attempts?.map((attempt) => Date.parse(attempt.at)) ?? [];
    expect([...times].sort()).toEqual(times);
    const [listed] = (await page(edge, "")).items;
    expect(listed?.id).toBe(id);
    const fresh = connectEdge(edge.tenant, { vars: VARS, runtime });
    expect(await one(fresh, id), "another instance").toEqual(found);
  });

  it("each event of a large batch is found, by own id, key, content and position alike", async () => {
    const edge = await edgeWith("m");
    await edge.putCatalog({
      streams: [{ meter_global_id: "m", fields: FIELDS }, OWN],
    });
    tick();
    const own = await (
      await edge.post("own", JSON.stringify(range(40).map((n) => ({ n, eid: `e${n}` }))), REPRESENTATION)
    ).json<{ results: { id: string }[] }>();
    const ways = [
      own.results.map((result) => result.id),
      await take(edge, "m", range(40)),
      await take(edge, "m", range(40), { "idempotency-key": "k" }),
      await take(edge, "m", range(40), { "weir-producer": "p", "weir-sequence": "100" }),
    ];
    for (const ids of ways) {
      for (const n of [0, 1, 17, 39])
        expect(await one(edge, ids[n] ?? ""), String(n)).toMatchObject({ id: ids[n], event: { n } });
    }
    const listed = await pages(edge, "limit=50");
    expect(listed.map((item) => item.id)).toEqual(ways.flat());
  });

  it("an event known by position is found although later bodies overlapped its position or left gaps", async () => {
    const edge = await edgeWith("m");
    const at = (first: number) => ({ "weir-producer": "p", "weir-sequence": String(first) });
    const ids = await take(edge, "m", range(10), at(0));
    await take(edge, "m", range(10, 5), at(5));
    await take(edge, "m", range(3, 100), at(100));
    await take(edge, "m", range(15), at(0));
    for (const n of range(10))
      expect(await one(edge, ids[n] ?? ""), String(n)).toMatchObject({ id: ids[n], position: n, event: { n } });
    expect(numbers(await page(edge, "?limit=1000"))).toEqual([...range(15), 100, 101, 102]);
  });

  it("a position taken by an event with an own id is no second event", async () => {
    const edge = await edgeWith();
    await edge.putCatalog({ streams: [OWN] });
    const send = (first: number, eids: readonly string[]) =>
      edge.post("own", JSON.stringify(eids.map((eid, n) => ({ n, eid }))), {
        ...REPRESENTATION,
        "weir-producer": "p",
        "weir-sequence": String(first),
      });
    await send(1, ["a", "b"]);
    expect(await (await send(3, ["a", "b"])).json()).toMatchObject({ duplicates: 2 });
    expect((await page(edge, "")).items.map((item) => item.event["eid"])).toEqual(["a", "b"]);
  });

  it("after a corrected replay it is shown under its old id, corrected, with the attempts of both lives", async () => {
    now = START;
    const edge = await edgeWith("m");
    const headers = { ...LENIENT, "weir-producer": "p", "weir-sequence": "1" };
    const body = `[{"n":"bad","of":"${edge.tenant}"},{"n":2}]`;
    const taken = await (await edge.post("m", body, headers)).json<{ results: { id: string }[] }>();
    const id = taken.results[0]?.id ?? "";
    expect(await one(edge, id)).toMatchObject({ state: "quarantined", position: 1, event: { n: "bad" }, attempts: [] });
    const [held] = (
      await (await edge.request("/admin/quarantine")).json<{ items: { id: string; event_id: string }[] }>()
    ).items;
    expect(held?.event_id).toBe(id);
    const corrected = `{"event":{"n":1,"of":"${edge.tenant}"}}`;
    expect(
      (await edge.request(`/admin/quarantine/${held?.id}/replay`, { method: "POST", body: corrected })).status,
    ).toBe(202);
    expect(await one(edge, id)).toMatchObject({ id, state: "pending", position: 1, event: { n: 1 } });
    await fail(edge.tenant, [503]);
    await sweeps(edge, 3);
    const found = await one(edge, id);
    expect(found).toMatchObject({ id, state: "delivered", position: 1, event: { n: 1 } });
    expect(found.attempts?.map(({ status }) => status)).toEqual([503, 200]);
    const listed = await page(edge, "?stream=usage/m");
    expect(listed.items.map((item) => [item.id, item.event["n"], item.state])).toEqual([
      [id, 1, "delivered"],
      [taken.results[1]?.id, 2, "delivered"],
    ]);
    expect(numbers(await page(edge, "?state=quarantined"))).toEqual([]);
  });

  it("what the upstream refused shows the refusing attempt, and after a replay the one that took it", async () => {
    now = START;
    const edge = await edgeWith();
    const { id } = await (await post(edge, "charge-data", { ...CHARGE, note: edge.tenant })).json<{ id: string }>();
    await fail(edge.tenant, [400]);
    await sweeps(edge, 2);
    const refused = await one(edge, id);
    expect(refused).toMatchObject({ state: "quarantined", attempts: [{ attempt: 1, status: 400 }] });
    const [held] = (await (await edge.request("/admin/quarantine")).json<{ items: { id: string }[] }>()).items;
    const event = { ...CHARGE, note: edge.tenant, fixed: true };
    expect(
      (await edge.request(`/admin/quarantine/${held?.id}/replay`, { method: "POST", body: JSON.stringify({ event }) }))
        .status,
    ).toBe(202);
    await sweeps(edge, 2);
    const found = await one(edge, id);
    expect(found).toMatchObject({ id, state: "delivered", event: { fixed: true } });
    expect(found.attempts?.map(({ status }) => status)).toEqual([400, 201]);
    expect(await (await edge.request(`/v1/events/${id}`)).json<{ id: string; fixed: boolean }>()).toMatchObject({
      id,
      fixed: true,
    });
  });

  it("is 404 where there is none, and a usage event is none of Solvimon's", async () => {
    const edge = await edgeWith("m");
    const [id = ""] = await take(edge, "m", [1]);
    expect((await edge.request(`/admin/events/${id}`)).status).toBe(200);
    for (const path of [
      `/v1/events/${id}`,
      `/v1/events/${id}/event_trace`,
      "/v1/events/x",
      "/admin/events/x",
      `/admin/events/${id}x`,
    ])
      expect((await edge.request(path)).status, path).toBe(404);
  });
});
