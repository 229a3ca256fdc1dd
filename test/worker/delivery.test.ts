/** How calls upstream are packed, repeated, split and given up on: the real sender against the real twin. */
import { expect, it } from "vitest";
import { bindings, connectEdge, event, events, setupEdge, type TestEdge, twinUrl } from "./support/edge.ts";

interface Call {
  readonly path: string;
  readonly status: number | null;
  readonly idempotency_key: string | null;
  readonly events: number;
  readonly gzip: boolean;
  readonly headers: Record<string, string>;
}

/** A tenant, a meter of its own and a clock that the test turns. */
async function setup(vars: Record<string, string> = {}) {
  const base = await setupEdge();
  // What an earlier test made the destination wait for is not this one's.
  await bindings.LEDGER.prepare("DELETE FROM holds").run();
  const meter = `delivery-${base.tenant}`;
  await base.putCatalog({ streams: [{ meter_global_id: meter }, { meter_global_id: `other-${meter}` }] });
  let clock = Date.now();
  const connect = (more: Record<string, string> = {}) =>
    connectEdge(base.tenant, {
      vars: { BACKOFF_BASE_MS: "1000", BACKOFF_MAX_MS: "60000", ...vars, ...more },
      runtime: { clock: { now: () => clock } },
    });
  const edge = connect();
  const path = `/meters/streaming/ingestion/${meter}`;
  return {
    edge,
    connect,
    meter,
    path,
    now: () => clock,
    pass: (ms: number) => {
      clock += ms;
    },
    deliver: (stream = meter) => edge.services.delivery.deliver({ tenant: edge.tenant, stream: `usage/${stream}` }),
    faults: (...script: Record<string, unknown>[]) => addFaults(script.map((fault) => ({ path, ...fault }))),
    calls: async () => (await twinCalls()).filter((call) => call.path === path),
    row: async () => (await edge.ledger()).find((row) => row.stream === `usage/${meter}`),
  };
}

async function addFaults(script: unknown[]): Promise<void> {
  const answer = await fetch(`${twinUrl()}/twin/faults`, { method: "POST", body: JSON.stringify(script) });
  if (!answer.ok) throw new Error(await answer.text());
}

async function twinCalls(): Promise<Call[]> {
  const answer = await (await fetch(`${twinUrl()}/twin/requests`)).json<Call[] | { items: Call[] }>();
  return Array.isArray(answer) ? answer : answer.items;
}

const HOUR = 3_600_000;

async function attemptsOf(
  edge: TestEdge,
): Promise<{ status: number | null; verdict: string; message: string | null }[]> {
  const { results } = await bindings.LEDGER.prepare(
    "SELECT status, verdict, message FROM attempts JOIN shipments ON shipments.id = shipment WHERE tenant = ?1 ORDER BY at, shipment, attempt",
  )
    .bind(edge.tenant)
    .all<{ status: number | null; verdict: string; message: string | null }>();
  return results;
}

it("small batches go up in one gzipped call", async () => {
  const { edge, meter, deliver, calls } = await setup();
  for (let n = 0; n < 30; n++) await edge.post(meter, event({ n }));
  await deliver();
  expect(await calls()).toMatchObject([{ status: 200, events: 30, gzip: true }]);
});

it("a call keeps to the upstream's limits in events and in bytes", async () => {
  const byEvents = await setup({ ZUORA_MAX_EVENTS: "7" });
  await byEvents.edge.post(byEvents.meter, `[${events(30).join(",")}]`);
  await byEvents.deliver();
  expect((await byEvents.calls()).map((call) => call.events).sort()).toEqual([2, 7, 7, 7, 7]);
  const byBytes = await setup({ ZUORA_MAX_BYTES: "1000" });
  const sent = events(30).map((text, i) => text.replace("cus_1", "é".repeat(i)));
  await byBytes.edge.post(byBytes.meter, `[${sent.join(",")}]`);
  await byBytes.deliver();
  expect((await byBytes.edge.twinEvents(byBytes.meter)).sort()).toEqual([...sent].sort());
  expect((await byBytes.calls()).length).toBeGreaterThan(4);
});

it("413 splits a call in halves, each with a key of its own, down to one event, which goes to quarantine", async () => {
  const { edge, meter, deliver, faults, calls, row } = await setup();
  const sent = events(8);
  await faults({ times: 1000, status: 413, contains: '"Quantity":5' });
  await edge.post(meter, `[${sent.join(",")}]`);
  await deliver();
  expect((await edge.twinEvents(meter)).sort()).toEqual(sent.filter((text) => !text.includes('"Quantity":5')).sort());
  expect(await row()).toMatchObject({ accepted: 8, delivered: 7, quarantined: 1, pending: 0 });
  const keys = (await calls()).map((call) => call.idempotency_key);
  expect(new Set(keys).size).toBe(keys.length);
});

it("400 bisects to the rejected event, which is quarantined with the upstream's words; its neighbours are delivered", async () => {
  const { edge, meter, deliver, faults, row } = await setup();
  await faults({ times: 1000, status: 400, contains: '"Quantity":437}' });
  await edge.post(meter, `[${events(1000).join(",")}]`);
  await deliver();
  expect(await row()).toMatchObject({ accepted: 1000, delivered: 999, quarantined: 1, pending: 0 });
  const { items } = await (await edge.request("/admin/quarantine")).json<{ items: Record<string, unknown>[] }>();
  expect(items).toMatchObject([
    { stream: `usage/${meter}`, state: "open", event: { Quantity: 437 }, upstream: expect.any(String) },
  ]);
  const twin = await edge.twinEvents(meter);
  expect(twin).toHaveLength(999);
  expect(twin.some((text) => text.includes('"Quantity":437}'))).toBe(false);
});

it("429 stops every stream of the destination until Retry-After has passed, in seconds or as a date", async () => {
  for (const asDate of [false, true]) {
    const { edge, meter, deliver, faults, calls, pass, now } = await setup();
    const retryAfter = asDate ? new Date(Math.ceil(now() / 1000) * 1000 + 30_000).toUTCString() : "30";
    await faults({ times: 1, status: 429, headers: { "retry-after": retryAfter } });
    await edge.post(meter, event());
    await deliver();
    await edge.post(`other-${meter}`, event());
    pass(29_000);
    await deliver();
    await deliver(`other-${meter}`);
    expect((await calls()).map((call) => call.status)).toEqual([429]);
    expect(await edge.twinEvents(`other-${meter}`)).toEqual([]);
    pass(3_000);
    await deliver();
    await deliver(`other-${meter}`);
    expect((await calls()).map((call) => call.status)).toEqual([429, 200]);
    expect(await edge.twinEvents(`other-${meter}`)).toHaveLength(1);
  }
});

it("401 fetches a new token and repeats the call; credentials that stay wrong lose nothing", async () => {
  const { edge, meter, deliver, faults, calls, pass, connect } = await setup();
  await faults({ times: 1, status: 401 });
  await edge.post(meter, event());
  await deliver();
  const [first, second, ...more] = await calls();
  expect([first?.status, second?.status, more.length]).toEqual([401, 200, 0]);
  expect(first?.idempotency_key).toBe(second?.idempotency_key);

  await edge.post(meter, event({ n: 2 }));
  const misled = connect({ ZUORA_CLIENT_SECRET: "wrong" });
  await misled.services.delivery.sweep();
  expect((await edge.ledger())[0]).toMatchObject({ accepted: 2, delivered: 1, pending: 1, quarantined: 0 });
  pass(61_000);
  await deliver();
  expect((await edge.ledger())[0]).toMatchObject({ delivered: 2, pending: 0 });
});

it("5xx and no response are met by the very same call again, after a backoff, without end", async () => {
  const { edge, meter, deliver, faults, calls, pass, row } = await setup();
  await faults(
    { times: 6, status: 503 },
    { times: 3, status: 500 },
    { times: 2, drop: "before" },
    { times: 1, drop: "after" },
  );
  await edge.post(meter, event());
  for (let n = 0; n < 13; n++) {
    await deliver();
    pass(HOUR);
  }
  const tried = await calls();
  expect(tried.map((call) => call.status)).toEqual([
    503,
    503,
    503,
    503,
    503,
    503,
    500,
    500,
    500,
    null,
    null,
    null,
    200,
  ]);
  expect(new Set(tried.map((call) => call.idempotency_key)).size).toBe(1);
  expect(await edge.twinEvents(meter)).toHaveLength(1);
  expect(await row()).toMatchObject({ delivered: 1, pending: 0 });
  expect(await attemptsOf(edge)).toHaveLength(13);
});

it("before its backoff has passed a call is not repeated", async () => {
  const { edge, meter, deliver, faults, calls } = await setup();
  const cautious = connectEdge(edge.tenant, { vars: { BACKOFF_BASE_MS: "60000" }, runtime: { random: () => 0.999 } });
  await faults({ times: 5, status: 503 });
  await edge.post(meter, event());
  await cautious.services.delivery.deliver({ tenant: edge.tenant, stream: `usage/${meter}` });
  await deliver();
  await deliver();
  expect(await calls()).toHaveLength(1);
});

it("a stream that the upstream does not know waits by itself; the others flow", async () => {
  const { edge, meter, deliver, faults, row, pass } = await setup();
  await faults({ times: 3, status: 404 });
  await edge.post(meter, event());
  await edge.post(`other-${meter}`, event());
  await Promise.all([deliver(), deliver(`other-${meter}`)]);
  expect(await row()).toMatchObject({ pending: 1, quarantined: 0 });
  expect(await edge.twinEvents(`other-${meter}`)).toHaveLength(1);
  for (let n = 0; n < 3; n++) {
    pass(61_000);
    await deliver();
  }
  expect(await row()).toMatchObject({ pending: 0, delivered: 1 });
});

it("an upstream's 409 counts as delivered only after an attempt of that call whose outcome is unknown", async () => {
  const taken = await setup();
  await taken.faults({ times: 1, drop: "after" }, { times: 1, status: 409 });
  await taken.edge.post(taken.meter, event());
  await taken.deliver();
  taken.pass(HOUR);
  await taken.deliver();
  expect(await taken.row()).toMatchObject({ delivered: 1, quarantined: 0 });

  const stranger = await setup();
  await stranger.faults({ times: 1, status: 409 });
  await stranger.edge.post(stranger.meter, event());
  await stranger.deliver();
  expect(await stranger.row()).toMatchObject({ delivered: 0, quarantined: 1 });
});

it("without a base URL events stay pending, and flow once there is one", async () => {
  const { edge, meter, connect, deliver, row } = await setup();
  const unset = connect({ ZUORA_BASE_URL: "" });
  expect((await unset.post(meter, event())).status).toBe(200);
  await unset.services.delivery.sweep();
  expect(await row()).toMatchObject({ pending: 1 });
  await deliver();
  expect(await row()).toMatchObject({ delivered: 1 });
  expect(await edge.twinEvents(meter)).toHaveLength(1);
});

it("entity and org ids are passed on, and calls never mix them", async () => {
  const { edge, meter, deliver, calls } = await setup();
  await bindings.LEDGER.prepare(
    'UPDATE api_keys SET entity_ids = \'["e1","e2"]\', org_ids = \'["o1","o2"]\' WHERE tenant = ?1',
  )
    .bind(edge.tenant)
    .run();
  const scopes = [
    {},
    { "zuora-entity-ids": "e1" },
    { "zuora-entity-ids": "e2" },
    { "zuora-entity-ids": "e1", "zuora-org-ids": "o1" },
  ];
  for (let n = 0; n < 12; n++) await edge.post(meter, event({ n }), scopes[n % scopes.length]);
  await deliver();
  const seen = (await calls()).map((call) => [
    call.headers["zuora-entity-ids"],
    call.headers["zuora-org-ids"],
    call.events,
  ]);
  expect(seen).toHaveLength(4);
  expect(seen).toEqual(
    expect.arrayContaining([
      // Of what a request does not name its key's own list goes up.
      ["e1,e2", "o1,o2", 3],
      ["e1", "o1,o2", 3],
      ["e2", "o1,o2", 3],
      ["e1", "o1", 3],
    ]),
  );
});

it("two senders at once deliver each event once", async () => {
  const { edge, meter, deliver, connect, row } = await setup({ ZUORA_MAX_EVENTS: "10" });
  for (let n = 0; n < 20; n++) await edge.post(meter, `[${events(10, n * 10).join(",")}]`);
  const other = connect();
  await Promise.all([deliver(), other.services.delivery.sweep(), deliver(), other.services.delivery.sweep()]);
  expect((await edge.twinEvents(meter)).sort()).toEqual(events(200).sort());
  expect(await row()).toMatchObject({ accepted: 200, delivered: 200, pending: 0 });
});
