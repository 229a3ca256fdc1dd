/** Withdrawal: what waits goes into quarantine once, whoever else is at it, and can be sent again from there. */
import { expect, it } from "vitest";
import { bindings, connectEdge, event, setupEdge, type TestEdge, twinUrl } from "./support/edge.ts";

const MINUTE_MS = 60_000;
const BAD = { "zuora-entity-ids": "e1" };

/** A tenant whose events for entity e1 are refused, and a clock that the test turns. */
async function setup(vars: Record<string, string> = {}) {
  const base = await setupEdge();
  await bindings.LEDGER.prepare("DELETE FROM holds").run();
  await bindings.LEDGER.prepare(`UPDATE api_keys SET entity_ids = '["*"]' WHERE tenant = ?1`).bind(base.tenant).run();
  const meter = `withdraw-${base.tenant}`;
  await base.putCatalog({ streams: [{ meter_global_id: meter }] });
  let now = Date.now();
  let gate: (() => Promise<void>) | null = null;
  const edge = connectEdge(base.tenant, {
    vars: { BACKOFF_MAX_MS: String(MINUTE_MS), ...vars },
    runtime: {
      clock: { now: () => now },
      fetch: async (input, init) => {
        if (String(input).includes(meter)) await gate?.();
        return fetch(input, init);
      },
    },
  });
  await refuse(meter, 403);
  return {
    edge,
    meter,
    pass: (ms: number) => {
      now += ms;
    },
    hangAt: (wait: () => Promise<void>) => {
      gate = wait;
    },
    now: () => now,
    post: (n: number, headers: Record<string, string> = BAD) => edge.post(meter, bad(meter, n), headers),
    sweep: () => edge.services.delivery.sweep(),
    row: async () => (await edge.ledger()).find((row) => row.stream === `usage/${meter}`),
  };
}

const bad = (meter: string, n: number) => event({ CustomerId: `bad-${meter}`, Quantity: n });

/** Takes back what refuse() made of the meter's calls, and nothing of other files' tests. */
async function answerAgain(meter: string): Promise<void> {
  await fetch(`${twinUrl()}/twin/faults?${new URLSearchParams({ contains: `bad-${meter}` })}`, { method: "DELETE" });
}

async function refuse(meter: string, status: number): Promise<void> {
  await answerAgain(meter);
  const script = [{ contains: `bad-${meter}`, times: 1_000_000, status }];
  const answer = await fetch(`${twinUrl()}/twin/faults`, { method: "POST", body: JSON.stringify(script) });
  if (!answer.ok) throw new Error(await answer.text());
}

async function withdraw(edge: TestEdge, filter: unknown) {
  const body = new TextEncoder().encode(JSON.stringify(filter));
  const answer = await edge.request("/admin/quarantine/withdraw", { method: "POST", body });
  return {
    status: answer.status,
    body: await answer.json<{ withdrawn: number; remaining: number; message: string }>(),
  };
}

interface Item {
  readonly id: string;
  readonly event_id: string;
  readonly event: { Quantity: number };
  readonly reasons: { code: number; message: string }[];
}

async function held(edge: TestEdge): Promise<Item[]> {
  return (await (await edge.request("/admin/quarantine?limit=1000")).json<{ items: Item[] }>()).items;
}

it("what waits, fixed or not, is in quarantine with why it waited; replayed it is delivered", async () => {
  const { edge, meter, post, sweep, row } = await setup();
  await post(0);
  await sweep();
  for (let n = 1; n < 20; n++) await post(n);
  await sweep();
  const filter = { stream: `usage/${meter}`, context: { "Zuora-Entity-Ids": "e1" } };
  expect(await withdraw(edge, filter)).toMatchObject({ status: 200, body: { withdrawn: 20, remaining: 0 } });
  expect(await row()).toMatchObject({ accepted: 20, pending: 0, delivered: 0, quarantined: 20, discarded: 0 });
  const items = await held(edge);
  expect(items.map((item) => item.event.Quantity).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 20 }, (_, n) => n),
  );
  expect(items[0]?.reasons).toMatchObject([
    { code: 403, message: expect.stringContaining("withdrawn while it waited") },
  ]);
  expect(await edge.services.delivery.holds.list("", 10)).toEqual([]);
  expect(await withdraw(edge, filter)).toMatchObject({ body: { withdrawn: 0, remaining: 0 } });
  const [first] = items;
  const found = await (await edge.request(`/admin/events/${first?.event_id}`)).json<{ state: string }>();
  expect(found).toMatchObject({ state: "quarantined" });
  await answerAgain(meter);
  for (const { id } of items) {
    expect((await edge.request(`/admin/quarantine/${id}/replay`, { method: "POST" })).status).toBe(202);
  }
  await sweep();
  expect(await edge.twinEvents(meter)).toHaveLength(20);
  expect(await row()).toMatchObject({ delivered: 20, pending: 0, quarantined: 0 });
});

it("a replay that waits and is withdrawn is the same entry again: its attempts, its newest reason, its corrected text", async () => {
  const { edge, meter, post, sweep, row } = await setup();
  await post(1);
  await post(2);
  await sweep();
  expect((await withdraw(edge, {})).body).toMatchObject({ withdrawn: 2 });
  const before = await held(edge);
  for (const attempts of [1, 2]) {
    await refuse(meter, attempts === 1 ? 404 : 431);
    for (const { id, event: text } of before) {
      const corrected = { ...text, Quantity: text.Quantity + 10 * attempts };
      const body = new TextEncoder().encode(JSON.stringify({ event: corrected }));
      const answer = await edge.request(`/admin/quarantine/${id}/replay`, { method: "POST", body });
      expect(answer.status).toBe(202);
    }
    await sweep();
    expect((await withdraw(edge, {})).body).toMatchObject({ withdrawn: 2, remaining: 0 });
    const after = await held(edge);
    expect(after.map(({ id, event_id }) => [id, event_id])).toEqual(before.map(({ id, event_id }) => [id, event_id]));
    expect(after.map((item) => item.event.Quantity)).toEqual(before.map((item) => item.event.Quantity + 10 * attempts));
    const reasons = [{ code: attempts === 1 ? 404 : 431 }];
    expect(after).toMatchObject(after.map(() => ({ attempts, reasons, state: "open" })));
  }
  expect(await row()).toMatchObject({ accepted: 2, pending: 0, quarantined: 2, delivered: 0 });
});

it("it takes what the filter finds, of what waits, and nothing else", async () => {
  const { edge, meter, post, sweep, pass, now, row } = await setup();
  await post(0);
  await sweep();
  const first = now();
  pass(10_000);
  await post(1);
  await edge.post(meter, event({ CustomerId: "good" }));
  const stream = `usage/${meter}`;
  expect((await withdraw(edge, { stream: "usage/none" })).body).toMatchObject({ withdrawn: 0, remaining: 0 });
  // What no hold stops is on its way, and stays so.
  expect((await withdraw(edge, { stream, context: {} })).body).toMatchObject({ withdrawn: 0, remaining: 0 });
  const late = new Date(first + 5_000).toISOString();
  expect((await withdraw(edge, { from: late })).body).toMatchObject({ withdrawn: 1, remaining: 0 });
  expect((await held(edge)).map((item) => item.event.Quantity)).toEqual([1]);
  expect((await withdraw(edge, { to: late })).body).toMatchObject({ withdrawn: 1, remaining: 0 });
  await sweep();
  expect(await row()).toMatchObject({ accepted: 3, delivered: 1, quarantined: 2, pending: 0 });
});

it("a call in flight stays, and no concurrent withdrawal or sender counts an event twice", async () => {
  const { edge, post, sweep, pass, hangAt, row } = await setup();
  await post(0);
  await sweep();
  for (let n = 1; n < 5; n++) await post(n);
  pass(MINUTE_MS);
  let release: () => void = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const started = new Promise<void>((resolve) => {
    hangAt(() => {
      resolve();
      return released;
    });
  });
  const sending = sweep();
  await started;
  const both = await Promise.all([withdraw(edge, {}), withdraw(edge, {})]);
  const withdrawn = both.reduce((sum, { body }) => sum + body.withdrawn, 0);
  const before = await row();
  expect(before).toMatchObject({ accepted: 5, quarantined: withdrawn, pending: 5 - withdrawn });
  expect(before?.pending).toBeGreaterThan(0);
  release();
  await sending;
  expect((await withdraw(edge, {})).body).toMatchObject({ remaining: 0 });
  expect(await row()).toMatchObject({ accepted: 5, quarantined: 5, pending: 0, delivered: 0 });
  expect(await held(edge)).toHaveLength(5);
});

it("a call of it is bounded and says what remains", async () => {
  const { edge, meter, post, sweep, row } = await setup({ ZUORA_MAX_EVENTS: "2" });
  await post(0);
  await sweep();
  const body = `[${Array.from({ length: 120 }, (_, n) => bad(meter, n + 1)).join(",")}]`;
  await edge.post(meter, body, BAD);
  const { withdrawn, remaining } = (await withdraw(edge, {})).body;
  expect(withdrawn).toBeGreaterThan(0);
  expect(withdrawn + remaining).toBe(121);
  expect(remaining).toBeGreaterThan(0);
  expect(await row()).toMatchObject({ quarantined: withdrawn, pending: remaining });
  expect((await withdraw(edge, {})).body).toMatchObject({ withdrawn: remaining, remaining: 0 });
});

it.each([
  [{ stream: 1 }, "stream"],
  [{ context: { nonsense: "e1" } }, "context"],
  [{ from: "yesterday" }, "from"],
  [{ strem: "usage/m" }, "strem"],
])("the filter %j is refused by name", async (filter, name) => {
  const { edge } = await setup();
  const { status, body } = await withdraw(edge, filter);
  expect(status).toBe(400);
  expect(body.message).toContain(name);
});

it("another tenant's events stay where they are", async () => {
  const { post, sweep, row } = await setup();
  const stranger = await setupEdge();
  await post(0);
  await sweep();
  expect((await withdraw(stranger, {})).body).toMatchObject({ withdrawn: 0, remaining: 0 });
  expect(await row()).toMatchObject({ pending: 1, quarantined: 0 });
});
