/** What a call costs the database that all tenants share: delivered, refused, while it hangs, and while its lane waits. */
import { afterEach, expect, it } from "vitest";
import type { Nudge } from "../../worker/env.ts";
import { bindings, connectEdge, event, setupEdge, twinUrl } from "./support/edge.ts";
import { type Step, tapRuntime } from "./support/tapped.ts";

const MINUTE_MS = 60_000;
const LANES = 4;
const CALLS_A_LANE = 250;

afterEach(async () => {
  await fetch(`${twinUrl()}/twin/faults?contains=cost-`, { method: "DELETE" });
  await bindings.LEDGER.batch(
    ["DELETE FROM outbox", "DELETE FROM holds", "UPDATE shipments SET state = 'split' WHERE state = 'open'"].map(
      (sql) => bindings.LEDGER.prepare(sql),
    ),
  );
});

/** One instance on a clock that the test turns; what it executes at D1 is kept, and so are its messages. */
async function setup(vars: Record<string, string> = {}, before: (url: string) => Promise<void> = async () => {}) {
  const base = await setupEdge();
  const entities = JSON.stringify(Array.from({ length: LANES }, (_, n) => `e${n}`));
  await bindings.LEDGER.prepare("UPDATE api_keys SET entity_ids = ?1 WHERE tenant = ?2")
    .bind(entities, base.tenant)
    .run();
  const meter = `cost-${base.tenant}`;
  await base.putCatalog({ streams: [{ meter_global_id: meter }] });
  let now = Date.now();
  const steps: Step[] = [];
  const nudged: Nudge[] = [];
  const tapped = tapRuntime({ after: (step) => steps.push(step) });
  const edge = connectEdge(base.tenant, {
    vars: { BACKOFF_BASE_MS: "1000", BACKOFF_MAX_MS: String(MINUTE_MS), ...vars },
    bindings: {
      LEDGER: tapped.bindings.LEDGER,
      NUDGES: { send: async (body: Nudge) => void nudged.push(body) } as unknown as Queue,
    },
    runtime: {
      clock: { now: () => now },
      fetch: async (input, init) => {
        await before(String(input));
        return tapped.fetch(input, init);
      },
    },
  });
  const { delivery } = edge.services;
  const stream = `usage/${meter}`;
  return {
    edge,
    meter,
    nudged,
    pass: (ms: number) => {
      now += ms;
    },
    /** What one message costs. @param contexts of the lanes that it names. */
    async message(contexts?: readonly string[]) {
      steps.length = 0;
      const rest: Promise<void>[] = [];
      const wanted = { tenant: base.tenant, stream, ...(contexts === undefined ? {} : { contexts }) };
      await delivery.deliver(wanted, (one) => rest.push(one));
      return { ...costOf(steps), rest };
    },
    async sweep() {
      steps.length = 0;
      await delivery.sweep();
      return costOf(steps);
    },
    costSoFar: () => costOf(steps),
  };
}

function costOf(steps: readonly Step[]) {
  const d1 = steps.filter(({ name }) => name.startsWith("D1"));
  return {
    trips: d1.length,
    statements: d1.reduce((sum, { statements }) => sum + (statements?.length ?? 0), 0),
    rowsRead: d1.flatMap(({ meta }) => meta ?? []).reduce((sum, { rows_read }) => sum + rows_read, 0),
    rowsWritten: d1.flatMap(({ meta }) => meta ?? []).reduce((sum, { rows_written }) => sum + rows_written, 0),
    calls: steps.filter(({ name }) => name.startsWith("fetch") && !name.includes("token")).length,
  };
}

async function fail(failure: Record<string, unknown>): Promise<void> {
  const script = [{ contains: "cost-", times: 1_000_000, ...failure }];
  const answer = await fetch(`${twinUrl()}/twin/faults`, { method: "POST", body: JSON.stringify(script) });
  if (!answer.ok) throw new Error(await answer.text());
}

const bad = (n: number) => event({ CustomerId: "cost-", Quantity: n });
const context = (lane: number) => `{"entity":"e${lane}"}`;
const lane = (n: number) => ({ "zuora-entity-ids": `e${n}` });

it("a lone event that its message names is delivered in four trips to D1 of eleven statements", async () => {
  const { edge, meter, pass, message, nudged } = await setup();
  await edge.post(meter, event({ n: 0 }), lane(0));
  await message();
  nudged.length = 0;
  pass(1_500);
  await edge.post(meter, event({ n: 1 }), lane(0));
  expect(nudged).toEqual([{ tenant: edge.tenant, stream: `usage/${meter}`, context: context(0) }]);
  const { trips, statements, rowsWritten, calls } = await message([context(0)]);
  console.log(`a lone event: ${JSON.stringify({ trips, statements, rowsWritten })}`);
  expect({ trips, statements, calls }).toEqual({ trips: 4, statements: 11, calls: 1 });
  expect(await edge.twinEvents(meter)).toHaveLength(2);
  // Nothing else of it is due, so that nobody is told to come again.
  expect(nudged).toHaveLength(1);
});

it.each([403, 500])(
  "of a thousand calls over four lanes that earn a %i, a probe costs a few statements and a lane that waits next to none",
  async (status) => {
    const { edge, meter, pass, sweep, message, costSoFar, nudged } = await setup({ ZUORA_MAX_EVENTS: "1" });
    await fail({ status });
    for (let n = 0; n < LANES; n++) {
      const texts = Array.from({ length: CALLS_A_LANE }, (_, i) => bad(i));
      expect((await edge.post(meter, `[${texts.join(",")}]`, lane(n))).status).toBe(200);
    }
    await sweep();
    for (let n = 0; n < 3; n++) {
      const waiting = [await message([context(0)]), await message(), await sweep()] as const;
      console.log(`a message of a lane, of a stream, and a sweep while four lanes wait: ${JSON.stringify(waiting)}`);
      const [ofLane, ofStream, swept] = waiting;
      expect(ofLane).toMatchObject({ trips: 1, statements: 1, calls: 0 });
      expect(ofStream).toMatchObject({ trips: 1, statements: 1, calls: 0 });
      expect(swept).toMatchObject({ trips: 3, statements: 4, calls: 0 });
      for (const { rowsRead } of waiting) expect(rowsRead).toBeLessThanOrEqual(40 * LANES);
      expect([ofLane.rowsWritten, ofStream.rowsWritten]).toEqual([0, 0]);
      // The first message that finds them waiting has them come again when they are due; the others have one under way.
      expect(nudged.filter(({ context: of }) => of === undefined).length).toBeLessThanOrEqual(3 * (n + 1));
      pass(MINUTE_MS);
      for (let each = 0; each < LANES; each++) {
        const { rest } = await message([context(each)]);
        await Promise.all(rest);
        const probe = costSoFar();
        console.log(`a call that earns a ${status}: ${JSON.stringify(probe)}`);
        expect(probe.calls).toBe(1);
        expect(probe.statements).toBeLessThanOrEqual(12);
        expect(probe.trips).toBeLessThanOrEqual(5);
        expect(probe.rowsWritten).toBeLessThanOrEqual(8);
      }
    }
  },
);

it("a handler is done at once with calls of lanes in trouble, which hang behind its back and cost no more than others", async () => {
  let release: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  let isHanging = false;
  const { edge, meter, pass, message, costSoFar } = await setup({}, async (url) => {
    if (isHanging && url.includes("/cost-")) await gate;
  });
  await fail({ status: 500 });
  await edge.post(meter, bad(1), lane(0));
  await message();
  pass(MINUTE_MS);
  isHanging = true;
  const { rest, trips, statements } = await message([context(0)]);
  console.log(`until a handler leaves a call that hangs: ${JSON.stringify({ trips, statements })}`);
  expect(rest).toHaveLength(1);
  expect(trips).toBeLessThanOrEqual(3);
  const meanwhile = await message([context(0)]);
  expect(meanwhile.calls).toBe(0);
  expect(meanwhile.statements).toBeLessThanOrEqual(2);
  release();
  await Promise.all(rest);
  expect(costSoFar().statements).toBeLessThanOrEqual(7);
});
