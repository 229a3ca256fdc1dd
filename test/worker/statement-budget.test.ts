/** What one invocation executes at D1 is bounded whatever it does: delivery, folding and the index have one budget. */
import { expect, it } from "vitest";
import type { Bindings, Nudge } from "../../worker/env.ts";
import worker from "../../worker/index.ts";
import { bindings, connectEdge, event, setupEdge, twinUrl } from "./support/edge.ts";
import { tapRuntime } from "./support/tapped.ts";

const STATEMENTS_MAX = 600;
const FACTS = 60_000;
/** What found no slot for its call comes again after so long. */
const SOON_SECONDS = 2;
const METER = {
  ...{ id: "metr_m", reference: "m", status: "ACTIVE", meter_properties: [] },
  meter_values: [{ reference: "v", type: "NUMBER", calculation: "SUM", required: true }],
};

/** A tenant, and the Worker's entries as the platform calls them: what they send to the queue is kept. */
async function setup(vars: Record<string, string> = {}) {
  const { tenant } = await setupEdge();
  const edge = connectEdge(tenant);
  const due: Nudge[] = [];
  let statements = 0;
  const tapped = tapRuntime({
    before: (step) => {
      statements += step.statements?.length ?? 0;
    },
  });
  const send = async (body: Nudge, { delaySeconds = 0 }: { delaySeconds?: number } = {}) => {
    if (delaySeconds <= SOON_SECONDS) due.push(body);
  };
  const bound = {
    ...{ LEDGER: tapped.bindings.LEDGER, NUDGES: { send } },
    ...{ ZUORA_BASE_URL: twinUrl(), ZUORA_CLIENT_ID: "twin-client", ZUORA_CLIENT_SECRET: "twin-secret", ...vars },
  } as unknown as Bindings;
  /** @returns the statements of one invocation and all that it left to waitUntil. */
  const invoke = async (run: (context: ExecutionContext) => void | Promise<void>): Promise<number> => {
    statements = 0;
    const rest: Promise<unknown>[] = [];
    const context = { waitUntil: (one: Promise<unknown>) => rest.push(one), passThroughOnException() {}, props: {} };
    await run(context as unknown as ExecutionContext);
    await Promise.all(rest);
    return statements;
  };
  const follow = (bodies: readonly Nudge[]) => {
    const message = (body: Nudge) => ({ body, ack() {}, retry: () => expect.unreachable("a message failed") });
    const batch = { queue: "weir-nudges", messages: bodies.map(message) } as unknown as MessageBatch<Nudge>;
    return invoke((context) => worker.queue(batch, bound, context));
  };
  /** Follows what comes again soon, a message an invocation, until nothing does. */
  const followAll = async (): Promise<number[]> => {
    const each: number[] = [];
    for (let next = due.shift(); next !== undefined && each.length < 200; next = due.shift())
      each.push(await follow([next]));
    return each;
  };
  const sweep = () => invoke((context) => worker.scheduled({} as ScheduledController, bound, context));
  return { edge, tenant, follow, followAll, sweep };
}

/** Meter data that was accepted and is not folded yet, many times the same. */
async function addFacts(edge: Awaited<ReturnType<typeof setup>>["edge"]): Promise<void> {
  const data = {
    ...{
      reference: "many-times-the-same",
      meter_reference: "m",
      customer_reference: "c",
      timestamp: "2026-03-10T12:00:00Z",
    },
    meter_values: [{ reference: "v", number: "1" }],
  };
  const sent = await edge.request("/v1/ingest/meter-data", {
    method: "POST",
    body: new TextEncoder().encode(JSON.stringify(data)),
  });
  expect([sent.status, await sent.text()]).toEqual([201, expect.any(String)]);
  await bindings.LEDGER.prepare(
    `INSERT INTO facts (tenant, id, subject, at, entry, context, quantities, void)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${FACTS})
    SELECT tenant, id + i, subject, at, entry, context, quantities, void FROM facts CROSS JOIN n WHERE tenant = ?1`,
  )
    .bind(edge.tenant)
    .run();
}

const unfolded = async (tenant: string) =>
  (
    await bindings.LEDGER.prepare(
      `SELECT (SELECT max(id) FROM facts WHERE tenant = ?1)
        - coalesce((SELECT folded FROM usage_progress WHERE tenant = ?1), 0) AS count`,
    )
      .bind(tenant)
      .first<{ count: number }>()
  )?.count;

it("a message's delivery, folding and indexing keep 600 statements, and what is left comes again", async () => {
  const { edge, tenant, follow, followAll } = await setup({ ZUORA_MAX_EVENTS: "1" });
  const meter = `budget-${tenant}`;
  await edge.putCatalog({ streams: [{ meter_global_id: meter }], meters: [METER] });
  await edge.post(meter, `[${Array.from({ length: 60 }, (_, n) => event({ n })).join(",")}]`);
  await addFacts(edge);
  const each = [await follow([{ tenant, stream: `usage/${meter}` }]), ...(await followAll())];
  expect(Math.max(...each)).toBeLessThanOrEqual(STATEMENTS_MAX);
  expect(await edge.twinEvents(meter)).toHaveLength(60);
  expect(await unfolded(tenant)).toBe(0);
});

it("messages of ninety streams in one batch share 600 statements, and each stream is delivered", async () => {
  const { edge, tenant, follow, followAll } = await setup();
  const meters = Array.from({ length: 90 }, (_, n) => `budget-${tenant}-${n}`);
  await edge.putCatalog({ streams: meters.map((meter_global_id) => ({ meter_global_id })) });
  for (const meter of meters) await edge.post(meter, event());
  const first = await follow(meters.map((meter) => ({ tenant, stream: `usage/${meter}` })));
  expect(Math.max(first, ...(await followAll()))).toBeLessThanOrEqual(STATEMENTS_MAX);
  const pending = (await edge.ledger()).reduce((sum, row) => sum + row.pending, 0);
  expect(pending).toBe(0);
});

it("a sweep of calls, usage and index keeps 600 statements, and messages bring the rest", async () => {
  const { edge, tenant, sweep, followAll } = await setup({ ZUORA_MAX_EVENTS: "1" });
  const meter = `budget-${tenant}`;
  await edge.putCatalog({ streams: [{ meter_global_id: meter }], meters: [METER] });
  await edge.post(meter, `[${Array.from({ length: 60 }, (_, n) => event({ n })).join(",")}]`);
  await addFacts(edge);
  const each = [await sweep(), ...(await followAll())];
  expect(Math.max(...each)).toBeLessThanOrEqual(STATEMENTS_MAX);
  expect(await edge.twinEvents(meter)).toHaveLength(60);
  expect(await unfolded(tenant)).toBe(0);
});
