/** Solvimon's four ingest operations as a client meets them: answers, repeats, groups, lists, reading back. */
import { beforeAll, describe, expect, it } from "vitest";
import { connectEdge, setupEdge, type TestEdge, twinUrl } from "./support/edge.ts";

const VARS = { SOLVIMON_BASE_URL: twinUrl(), SOLVIMON_API_KEY: "twin-key" };

const ids = { pricing_id: "pric_1", pricing_item_id: "prii_1", pricing_item_config_id: "pric_c1" };
const VALID = {
  "persist-data": { customer_id: "cust_1", ...ids, pricing_plan_subscription_id: null },
  "charge-data": { product_item_id: "pri_1", ...ids, value: { number: "1.50" } },
  "adjustment-data": { product_item_id: "pri_1", amount: { quantity: "-1.50", currency: "EUR" } },
  "meter-data": { meter_reference: "m", meter_values: [{ reference: "v", number: "0.1234567890123456789" }] },
} as const;
type Operation = keyof typeof VALID;
const OPERATIONS = Object.keys(VALID) as Operation[];
const PREFIX: Record<Operation, string> = {
  "persist-data": "prda_",
  "charge-data": "chda_",
  "adjustment-data": "adda_",
  "meter-data": "mtda_",
};
const STREAM: Record<Operation, string> = {
  "persist-data": "persist",
  "charge-data": "charge",
  "adjustment-data": "adjustment",
  "meter-data": "meter-data",
};

let edge: TestEdge;
let count = 0;
/** A reference of its own for each event, across tests: the twin remembers them all. */
const reference = () => `ref-${edge.tenant}-${++count}`;

beforeAll(async () => {
  edge = await setupEdge({ vars: VARS });
});

const post = (path: string, body: unknown, headers: Record<string, string> = {}, to: TestEdge = edge) =>
  to.request(`/v1/ingest/${path}`, {
    method: "POST",
    body: new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body)),
    headers,
  });

async function twinOf(stream: string, containing: string): Promise<string[]> {
  const answer = await fetch(`${twinUrl()}/twin/events?exact=1&stream=${stream}`);
  const lines = new TextDecoder()
    .decode(await answer.arrayBuffer())
    .split("\n")
    .filter((line) => line.includes(containing));
  return lines.map((line) => JSON.parse(line).source);
}

describe.each(OPERATIONS)("%s", (operation) => {
  const stream = STREAM[operation];

  it("answers 201 with the whole resource, keeps unknown fields, and delivers byte for byte", async () => {
    const own = reference();
    const source = `{ "reference":"${own}", "extra": {"n": 1.00}, "timestamp":"2026-01-01T00:00:00Z", ${JSON.stringify(VALID[operation]).slice(1)}`;
    const response = await post(operation, source);
    expect(response.status).toBe(201);
    const text = await response.text();
    expect(text).toContain('"extra":{"n": 1.00}');
    const resource = JSON.parse(text);
    expect(resource).toMatchObject({
      ...VALID[operation],
      reference: own,
      object_type: expect.stringMatching(/_DATA$/),
    });
    expect(resource.id).toMatch(new RegExp(`^${PREFIX[operation]}[0-9A-Za-z]{20}$`));
    await edge.services.delivery.sweep();
    expect(await twinOf(stream, own)).toEqual([source]);
    const read = await edge.request(`/v1/events/${resource.id}`);
    expect(await read.text()).toBe(text);
    const trace = await (await edge.request(`/v1/events/${resource.id}/event_trace`)).json();
    expect(trace).toMatchObject({
      event_id: resource.id,
      state: "delivered",
      attempts: [{ attempt: 1, verdict: "delivered" }],
    });
  });

  it("fills an absent or null timestamp with the time of receipt, in the answer and upstream", async () => {
    for (const timestamp of [undefined, null]) {
      const own = reference();
      const answer = await (await post(operation, { ...VALID[operation], reference: own, timestamp })).json<{
        timestamp: string;
      }>();
      expect(Math.abs(Date.parse(answer.timestamp) - Date.now())).toBeLessThan(60_000);
      await edge.services.delivery.sweep();
      const [sent] = await twinOf(stream, own);
      expect(JSON.parse(sent ?? "{}").timestamp).toBe(answer.timestamp);
    }
  });

  it("a repeat gets the original, other content 409, by reference and by Idempotency-Key", async () => {
    const own = reference();
    const body = { ...VALID[operation], reference: own };
    const first = await post(operation, body);
    const original = await first.text();
    const later = connectEdge(edge.tenant, { vars: VARS, runtime: { clock: { now: () => Date.now() + 5_000 } } });
    const again = await post(operation, body, {}, later);
    expect([again.status, again.headers.get("idempotent-replayed"), await again.text()]).toEqual([
      201,
      "true",
      original,
    ]);
    const other = await post(operation, { ...body, note: "other" });
    expect(other.status).toBe(409);
    expect(await other.json()).toMatchObject({
      type: "INVALID_REQUEST",
      code: "RESOURCE_ALREADY_EXISTS",
      field: "reference",
      resource_id: JSON.parse(original).id,
    });

    const key = { "idempotency-key": `key-${own}` };
    const plain = await (await post(operation, VALID[operation], key)).text();
    const replay = await post(operation, VALID[operation], key);
    expect([replay.status, replay.headers.get("idempotent-replayed"), await replay.text()]).toEqual([
      201,
      "true",
      plain,
    ]);
    const reused = await post(operation, { ...VALID[operation], note: 1 }, key);
    expect([reused.status, (await reused.json<{ code: string }>()).code]).toEqual([409, "IDEMPOTENCY_CHECK_FAILED"]);
  });

  it("fifty at once of one reference: one is stored, 49 are replays; with two contents one wins everywhere", async () => {
    const own = reference();
    const same = await Promise.all(
      Array.from({ length: 50 }, () => post(operation, { ...VALID[operation], reference: own })),
    );
    expect(same.every((answer) => answer.status === 201)).toBe(true);
    expect(same.filter((answer) => answer.headers.get("idempotent-replayed") === null)).toHaveLength(1);
    const texts = await Promise.all(same.map((answer) => answer.text()));
    expect(new Set(texts).size).toBe(1);

    const two = reference();
    const mixed = await Promise.all(
      Array.from({ length: 50 }, (_, i) => post(operation, { ...VALID[operation], reference: two, side: i % 2 })),
    );
    const statuses = [0, 1].map(
      (side) => new Set(mixed.filter((_, i) => i % 2 === side).map((answer) => answer.status)),
    );
    expect(statuses.map((set) => [...set])).toEqual(expect.arrayContaining([[201], [409]]));
    await edge.services.delivery.sweep();
    expect(await twinOf(stream, own)).toHaveLength(1);
    expect(await twinOf(stream, two)).toHaveLength(1);
  });

  it("a list is accepted strictly or leniently, with counts and results like a usage stream", async () => {
    const member = `${operation.replace("-", "_")}s`;
    const events = Array.from({ length: 5 }, () => ({ ...VALID[operation], reference: reference() }));
    const bad = { ...events[0], reference: 7 };
    const strict = await post(`${operation}s`, { [member]: [...events, bad] });
    expect(strict.status).toBe(400);
    expect(await strict.json()).toMatchObject({
      code: "INVALID_FIELD",
      field: "reference",
      reasons: [{ index: 5, field: "reference" }],
    });
    const times = [...events, bad].map((_, i) => `2026-01-01T00:00:0${i}Z`);
    const lenient = await post(
      `${operation}s`,
      { [member]: [...events, bad], received_at: times },
      { prefer: "handling=lenient, return=representation" },
    );
    expect(lenient.status).toBe(200);
    const answer = await lenient.json<{ results: { id: string }[] }>();
    expect(answer).toMatchObject({
      success: true,
      accepted: 5,
      quarantined: 1,
      results: [{ index: 0, status: "accepted" }, {}, {}, {}, {}, { status: "quarantined" }],
    });
    const first = await (await edge.request(`/v1/events/${answer.results[0]?.id}`)).json();
    expect(first, "the time of first receipt").toMatchObject({ timestamp: "2026-01-01T00:00:00Z" });
    expect(
      await (await post(`${operation}s`, { [member]: events }, { prefer: "return=representation" })).json(),
    ).toMatchObject({ duplicates: 5 });
    const conflicting = await post(`${operation}s`, { [member]: [{ ...events[1], more: 1 }] });
    expect(conflicting.status).toBe(409);
    expect(await conflicting.json()).toMatchObject({ code: "RESOURCE_ALREADY_EXISTS", reasons: [{ index: 0 }] });
  });

  it.each<[string, Record<string, string>, string, number, string]>([
    ["no credentials", { "x-api-key": "nobody" }, "{}", 401, "UNAUTHORISED"],
    ["another content type", { "content-type": "text/plain" }, "{}", 415, "UNSUPPORTED_MEDIA_TYPE"],
    ["broken JSON", {}, "{", 400, "BAD_REQUEST"],
    ["an array", {}, "[{}]", 400, "BAD_REQUEST"],
    ["a number", {}, "1", 400, "BAD_REQUEST"],
    ["a duplicate key", {}, '{"a":1,"a":2}', 400, "BAD_REQUEST"],
  ])("%s", async (_name, headers, body, status, code) => {
    const response = await post(operation, body, headers);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ type: "INVALID_REQUEST", code, message: expect.any(String) });
    expect(response.headers.get("x-request-id")).toMatch(/^reqr_/);
  });
});

it("another version is refused by name", async () => {
  const response = await edge.request("/v2/ingest/persist-data", { method: "POST", body: "{}" });
  expect([response.status, (await response.json<{ code: string }>()).code]).toEqual([400, "UNSUPPORTED_VERSION"]);
});

it("meter data has its other spellings", async () => {
  const one = await edge.request("/v1/events/ingest", {
    method: "POST",
    body: new TextEncoder().encode(JSON.stringify({ ...VALID["meter-data"], reference: reference() })),
  });
  expect(one.status).toBe(201);
  for (const path of ["ingest-list", "ingest-batch"]) {
    const body = new TextEncoder().encode(
      JSON.stringify({ meter_datas: [{ ...VALID["meter-data"], reference: reference() }] }),
    );
    expect((await edge.request(`/v1/events/${path}`, { method: "POST", body })).status).toBe(200);
  }
});

describe("reprocessing groups", () => {
  const item = (group: string, more: Record<string, unknown> = {}) => ({
    ...VALID["persist-data"],
    reprocess_id: group,
    reference: reference(),
    ...more,
  });

  it("a closed group takes no later item, exact repeats excepted; other tenants have groups of their own", async () => {
    const group = reference();
    const last = item(group, { is_last_reprocess_item: true });
    expect((await post("persist-data", item(group))).status).toBe(201);
    expect((await post("persist-data", last)).status).toBe(201);
    const late = await post("persist-data", item(group));
    expect(late.status).toBe(409);
    expect(await late.json()).toMatchObject({ code: "INVALID_OPERATION", field: "reprocess_id" });
    expect((await post("persist-data", last)).headers.get("idempotent-replayed")).toBe("true");
    const list = await post(
      "persist-datas",
      { persist_datas: [item(group), item(reference())] },
      { prefer: "handling=lenient" },
    );
    expect(await list.json()).toMatchObject({ accepted: 1, conflicts: 1 });
    const other = await setupEdge({ vars: VARS });
    expect((await post("persist-data", item(group), {}, other)).status).toBe(201);
  });

  it("the closing item goes upstream after the rest of its group, whatever holds that up", async () => {
    const mine = await setupEdge({ vars: { ...VARS, BACKOFF_BASE_MS: "1000" } });
    const group = `g-${mine.tenant}`;
    const slow = item(group, { note: `slow-${mine.tenant}` });
    await fetch(`${twinUrl()}/twin/faults`, {
      method: "POST",
      body: JSON.stringify([
        { times: 2, status: 503, headers: { "retry-after": null }, contains: `slow-${mine.tenant}` },
      ]),
    });
    const events = [
      ...Array.from({ length: 6 }, () => item(group)),
      slow,
      item(group, { is_last_reprocess_item: true }),
    ];
    expect(await (await post("persist-datas", { persist_datas: events }, {}, mine)).json()).toMatchObject({
      accepted: 8,
    });
    let clock = Date.now();
    const later = connectEdge(mine.tenant, { vars: VARS, runtime: { clock: { now: () => clock } } });
    await later.services.delivery.sweep();
    expect((await twinOf("persist", group)).some((text) => text.includes("is_last"))).toBe(false);
    for (let n = 0; n < 4; n++) {
      clock += 3_600_000;
      await later.services.delivery.sweep();
    }
    const sent = await twinOf("persist", group);
    expect(sent).toHaveLength(8);
    expect(sent.at(-1)).toContain("is_last_reprocess_item");
  });
});

it("an upstream's 409 for a reference of another tenant's goes to quarantine, not to delivered", async () => {
  const [one, other] = [await setupEdge({ vars: VARS }), await setupEdge({ vars: VARS })];
  const own = reference();
  for (const [n, tenant] of [one, other].entries()) {
    await post("charge-data", { ...VALID["charge-data"], reference: own, n }, {}, tenant);
    await tenant.services.delivery.sweep();
  }
  expect((await one.ledger())[0]).toMatchObject({ delivered: 1, quarantined: 0 });
  expect((await other.ledger())[0]).toMatchObject({ delivered: 0, quarantined: 1 });
});

it("platform ids are passed on and never mixed in one call", async () => {
  const mine = await setupEdge({ vars: VARS });
  for (let n = 0; n < 6; n++) {
    const headers: Record<string, string> = n % 2 === 0 ? {} : { "x-platform-id": `plat-${mine.tenant}` };
    await post("meter-data", { ...VALID["meter-data"], reference: `${reference()}-long-enough` }, headers, mine);
  }
  await mine.services.delivery.sweep();
  const { items } = await (await mine.request("/admin/events?limit=100")).json<{ items: { state: string }[] }>();
  expect(items.map((item) => item.state)).toEqual(Array.from({ length: 6 }, () => "delivered"));
  const calls = await (await fetch(`${twinUrl()}/twin/requests`)).json<
    { headers: Record<string, string>; events: number }[] | { items: [] }
  >();
  const mineCalls = (Array.isArray(calls) ? calls : calls.items).filter(
    (call) => call.headers["x-platform-id"] === `plat-${mine.tenant}`,
  );
  expect(mineCalls.map((call) => call.events)).toEqual([3]);
});

describe("a tenant whose catalog is strict", () => {
  const CATALOG = {
    settings: { catalog: "strict" },
    customers: [{ id: "cust_1", reference: "acme" }],
    product_items: [{ id: "pri_1", reference: "seats" }],
    meters: [
      {
        id: "mete_1",
        reference: "m",
        status: "ACTIVE",
        meter_values: [{ reference: "v", type: "NUMBER", calculation: "SUM", required: true }],
        meter_properties: [{ reference: "region", type: "STRING", required: false }],
      },
    ],
  };

  it("refuses ids and references that it does not know, with the code of what is missing; a pass tenant does not", async () => {
    const mine = await setupEdge({ vars: VARS });
    expect((await mine.putCatalog(CATALOG)).status).toBe(200);
    const rows: [string, Record<string, unknown>, string, string][] = [
      [
        "adjustment-data",
        { ...VALID["adjustment-data"], customer_reference: "nobody" },
        "CUSTOMER_NOT_FOUND",
        "customer_reference",
      ],
      [
        "adjustment-data",
        { ...VALID["adjustment-data"], product_item_id: "pri_9" },
        "PRODUCT_ITEM_NOT_FOUND",
        "product_item_id",
      ],
      ["charge-data", VALID["charge-data"], "PRICING_NOT_FOUND", "pricing_id"],
      ["meter-data", { ...VALID["meter-data"], meter_reference: "other" }, "METER_NOT_FOUND", "meter_reference"],
      [
        "meter-data",
        { ...VALID["meter-data"], meter_values: [{ reference: "w", number: "1" }] },
        "METER_VALUE_NOT_FOUND",
        "meter_values.0.reference",
      ],
      [
        "meter-data",
        { ...VALID["meter-data"], meter_properties: [{ reference: "x", value: "1" }] },
        "METER_PROPERTY_NOT_FOUND",
        "meter_properties.0.reference",
      ],
    ];
    for (const [operation, body, code, field] of rows) {
      const response = await post(operation, body, {}, mine);
      expect([response.status, operation, await response.json()]).toMatchObject([400, operation, { code, field }]);
    }
    expect((await post("meter-data", VALID["meter-data"], {}, mine)).status).toBe(201);
    const archived = CATALOG.meters.map((meter) => ({ ...meter, status: "ARCHIVED" }));
    expect((await mine.putCatalog({ ...CATALOG, meters: archived })).status).toBe(200);
    for (const names of [{ meter_reference: "m" }, { meter_reference: null, meter_id: "mete_1" }]) {
      const event = { ...VALID["meter-data"], reference: "after-archiving", ...names };
      const response = await post("meter-data", event, {}, mine);
      const field = names.meter_reference === null ? "meter_id" : "meter_reference";
      expect([response.status, await response.json()]).toMatchObject([400, { code: "INVALID_OPERATION", field }]);
    }
    expect(
      (await post("adjustment-data", { ...VALID["adjustment-data"], customer_reference: "acme" }, {}, mine)).status,
    ).toBe(201);
    await mine.putCatalog({ ...CATALOG, settings: { catalog: "pass" } });
    expect((await post("charge-data", VALID["charge-data"], {}, mine)).status).toBe(201);
  });

  it("looks into the nested customer too", async () => {
    const mine = await setupEdge({ vars: VARS });
    await mine.putCatalog(CATALOG);
    const { customer_reference: _, ...unnamed } = { customer_reference: null, ...VALID["meter-data"] };
    const named = (customer: unknown, reference: string) =>
      post("meter-data", { ...unnamed, customer, reference }, {}, mine);
    for (const member of ["id", "reference"]) {
      const refused = await named({ [member]: "nobody" }, "nested-stranger");
      const error = { code: "CUSTOMER_NOT_FOUND", field: `customer.${member}` };
      expect([refused.status, await refused.json()]).toMatchObject([400, error]);
    }
    expect((await named({ id: "cust_1", reference: "acme" }, "nested-known")).status).toBe(201);
  });

  it("holds a replay from quarantine to its catalog as it holds a request", async () => {
    const mine = await setupEdge({ vars: VARS });
    await mine.putCatalog(CATALOG);
    const stranger = { ...VALID["adjustment-data"], customer_reference: "nobody" };
    await post("adjustment-datas", { adjustment_datas: [stranger] }, { prefer: "handling=lenient" }, mine);
    const { items } = await (await mine.request("/admin/quarantine")).json<{ items: { id: string }[] }>();
    const replay = (event?: unknown) =>
      mine.request(`/admin/quarantine/${items[0]?.id}/replay`, { method: "POST", body: JSON.stringify({ event }) });
    for (const event of [undefined, { ...stranger, customer_reference: "another" }]) {
      const refused = await replay(event);
      const reasons = [{ field: "customer_reference" }];
      expect([refused.status, await refused.json()]).toMatchObject([400, { reasons }]);
    }
    expect((await replay({ ...stranger, customer_reference: "acme" })).status).toBe(202);
  });
});
