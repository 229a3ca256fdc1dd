/** What a whole deployment can do, one check after the other. */
import { z } from "zod";
import { messageOf } from "../processes/command-line.ts";
import { until } from "../processes/until.ts";
import { answered, type EdgeCalls, expectBody } from "./edge-calls.ts";

export type CheckResult =
  | { readonly kind: "whole"; readonly what: string; readonly note: string }
  | { readonly kind: "broken"; readonly what: string; readonly note: string }
  /** Nothing is wrong with it that this run could have seen. */
  | { readonly kind: "not-tried"; readonly what: string; readonly note: string };

export interface SmokeOptions {
  /** `usage/METER`: an event of it is sent on to its vendor; null: none is. */
  readonly stream: string | null;
  /** For the vendor to have taken it. */
  readonly waitMs: number;
  /** Names this run in what it leaves behind. */
  readonly runId: string;
  readonly nowMs: number;
}

/** What one check leaves to those behind it. */
type Outcome = { readonly note: string } | { readonly notTried: string };

interface Check {
  readonly what: string;
  /** Nothing behind it can be tried where it fails. */
  readonly isGround?: boolean;
  readonly run: (edge: EdgeCalls, options: SmokeOptions) => Promise<Outcome>;
}

const hopSchema = z.object({
  stream: z.string(),
  accepted: z.int(),
  pending: z.int(),
  delivered: z.int(),
  quarantined: z.int(),
  discarded: z.int(),
});
const ledgerSchema = z.object({ items: z.array(hopSchema) });

const CHECKS: readonly Check[] = [
  { what: "it is up", isGround: true, run: isUp },
  { what: "its database answers and has its tables", isGround: true, run: isReady },
  { what: "its delivery stands well", run: deliveryStands },
  { what: "the key is good and reads the ledger", isGround: true, run: readsLedger },
  { what: "an event is kept, set aside as invalid, and discarded on record", run: keepsAndDiscards },
  { what: "an event goes through to its vendor", run: delivers },
  { what: "it prices", run: prices },
];

/** Runs them in order, calling `told` with each. A check whose ground is gone is not tried. */
export async function smoke(
  edge: EdgeCalls,
  options: SmokeOptions,
  told: (result: CheckResult) => void,
): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = [];
  let gone: string | null = null;
  for (const { what, isGround = false, run } of CHECKS) {
    const result: CheckResult =
      gone === null ? await tried(what, run(edge, options)) : { kind: "not-tried", what, note: `needs that ${gone}` };
    if (isGround && result.kind === "broken") gone = what;
    results.push(result);
    told(result);
  }
  return results;
}

async function tried(what: string, running: Promise<Outcome>): Promise<CheckResult> {
  try {
    const outcome = await running;
    if ("notTried" in outcome) return { kind: "not-tried", what, note: outcome.notTried };
    return { kind: "whole", what, note: outcome.note };
  } catch (error) {
    return { kind: "broken", what, note: messageOf(error) };
  }
}

async function isUp(edge: EdgeCalls): Promise<Outcome> {
  const answer = await edge.get("/healthz");
  expectBody(answer, 200, z.object({ status: z.literal("ok") }));
  return { note: `${answer.milliseconds} ms` };
}

const readySchema = z.object({
  database: z.literal("ok"),
  tokens: z.string().optional(),
  destinations: z.array(
    z.object({ vendor: z.string(), destination: z.string().nullable(), state: z.string(), why: z.array(z.string()) }),
  ),
});

async function isReady(edge: EdgeCalls): Promise<Outcome> {
  const answer = await edge.get("/readyz");
  if (answer.status === 503) throw new Error(`${answered(answer)}; were the migrations applied?`);
  const { tokens } = expectBody(answer, 200, readySchema);
  return {
    note: tokens === "no_secret" ? "but TOKEN_SECRET is not set: /oauth/token answers 503" : "tables are there",
  };
}

async function deliveryStands(edge: EdgeCalls): Promise<Outcome> {
  const { destinations } = expectBody(await edge.get("/readyz"), 200, readySchema);
  const waiting = destinations.filter(({ state }) => state !== "ok" && state !== "not_set");
  if (waiting.length > 0) {
    const which = waiting.map(
      ({ vendor, destination, why }) => `${vendor} (${destination ?? "others"}): ${why.join(", ")}`,
    );
    throw new Error(`events wait: ${which.join("; ")}`);
  }
  const set = destinations.filter(({ state }) => state === "ok").map(({ vendor }) => vendor);
  if (set.length === 0) return { notTried: "no vendor has a base URL yet: events stay pending until one has" };
  return { note: [...new Set(set)].join(", ") };
}

async function readsLedger(edge: EdgeCalls): Promise<Outcome> {
  const answer = await edge.get("/admin/ledger");
  if (answer.status === 401) throw new Error(`${answered(answer)}; is WEIR_KEY a key of this deployment?`);
  if (answer.status === 403) throw new Error(`${answered(answer)}; the key needs WEIR.ADMIN and METER_DATA.INGEST`);
  const { items } = expectBody(answer, 200, ledgerSchema);
  const wrong = items.filter((row) => row.accepted !== row.pending + row.delivered + row.quarantined + row.discarded);
  if (wrong.length > 0) throw new Error(`it does not add up: ${wrong.map(({ stream }) => stream).join(", ")}`);
  return { note: `${items.length} rows, each adds up` };
}

const SMOKE_STREAM = "persist";
const listAnswerSchema = z.object({
  results: z.tuple([z.object({ status: z.string(), id: z.string().optional() })]),
});
const quarantineSchema = z.object({
  items: z.array(z.object({ id: z.string(), event_id: z.string() })),
  next: z.string().nullable(),
});

/**
 * A persist event without what one must have: in a lenient list it is kept and set aside, and no vendor ever sees it. So
 * this costs nobody anything and needs no catalog; what it leaves is one discarded event on record.
 */
async function keepsAndDiscards(edge: EdgeCalls, { runId }: SmokeOptions): Promise<Outcome> {
  const before = await acceptedOf(edge, SMOKE_STREAM);
  const posted = await edge.post(
    "/v1/ingest/persist-datas",
    { persist_datas: [{ reference: `weir-smoke-${runId}` }] },
    { prefer: "handling=lenient, return=representation" },
  );
  if (posted.status === 403) throw new Error(`${answered(posted)}; the key needs METER_DATA.INGEST`);
  const [result] = expectBody(posted, 200, listAnswerSchema).results;
  if (result.status !== "quarantined") throw new Error(`the event is ${result.status}, not set aside`);
  if ((await acceptedOf(edge, SMOKE_STREAM)) <= before) throw new Error("the ledger does not count it");
  const entry = await quarantineEntry(edge, result.id ?? "");
  const discarded = await edge.post(`/admin/quarantine/${entry}/discard`, { reason: "smoke test" });
  if (discarded.status !== 200) throw new Error(answered(discarded));
  return { note: `${posted.milliseconds} ms; no vendor saw it` };
}

/** Entries of a page, and pages: a quarantine with more open entries needs a person before a smoke test. */
const PAGE = 1_000;
const PAGES_MAX = 20;

async function quarantineEntry(edge: EdgeCalls, eventId: string): Promise<string> {
  let cursor = "";
  for (let page = 0; page < PAGES_MAX; page++) {
    const path = `/admin/quarantine?limit=${PAGE}${cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`}`;
    const { items, next } = expectBody(await edge.get(path), 200, quarantineSchema);
    const entry = items.find(({ event_id }) => event_id === eventId);
    if (entry !== undefined) return entry.id;
    if (next === null) throw new Error("the quarantine does not list it");
    cursor = next;
  }
  throw new Error(`it is not among the first ${PAGES_MAX * PAGE} entries of the quarantine`);
}

/** Over all producers: what this run sends has none. */
async function acceptedOf(edge: EdgeCalls, stream: string): Promise<number> {
  const path = `/admin/ledger?stream=${encodeURIComponent(stream)}`;
  const { items } = expectBody(await edge.get(path), 200, ledgerSchema);
  return items.reduce((sum, { accepted }) => sum + accepted, 0);
}

const tracedSchema = z.object({
  state: z.string(),
  attempts: z.array(z.object({ status: z.number().nullable(), message: z.string().nullable() })).default([]),
});

/** A usage event of quantity 0 of a customer that nobody has, in the default fields. */
async function delivers(edge: EdgeCalls, { stream, runId, nowMs, waitMs }: SmokeOptions): Promise<Outcome> {
  if (stream === null)
    return { notTried: "name a --stream usage/METER to send an event of quantity 0 through to its vendor" };
  const path = `/meters/streaming/ingestion/${encodeURIComponent(stream.slice("usage/".length))}`;
  const event = {
    CustomerId: `weir-smoke-${runId}`,
    UsageIdentifier: "weir-smoke",
    UsageDate: new Date(nowMs).toISOString(),
    Quantity: 0,
  };
  const posted = await edge.post(path, event, { prefer: "return=representation" });
  const [{ id = "" }] = expectBody(posted, 200, listAnswerSchema).results;
  const startedMs = performance.now();
  let last = "accepted";
  const settled = async () => {
    const { state, attempts } = expectBody(await edge.get(`/admin/events/${id}`), 200, tracedSchema);
    const attempt = attempts.at(-1);
    const tried =
      attempt === undefined ? "not tried yet" : `${attempt.status ?? "no answer"} ${attempt.message ?? ""}`.trim();
    last = `${state}, ${tried}`;
    return state === "delivered" || state === "quarantined" ? state : null;
  };
  const state = await until(settled, { what: "its delivery", timeoutMs: waitMs, everyMs: 250 }).catch(() => null);
  if (state === "delivered")
    return { note: `${id}, ${Math.round(performance.now() - startedMs)} ms behind the answer` };
  const where = "look at the queue and its consumer, the base URL and its credentials";
  throw new Error(`accepted, but not delivered after ${waitMs / 1000} s (${last}); ${where}`);
}

const catalogSchema = z.object({
  meters: z.array(
    z.object({
      reference: z.string(),
      status: z.string(),
      meter_values: z.array(z.object({ reference: z.string(), required: z.boolean().default(false) })),
      meter_properties: z.array(z.object({ reference: z.string(), required: z.boolean().default(false) })).default([]),
    }),
  ),
});
const predictionSchema = z.object({ cost_prediction: z.looseObject({ response: z.string() }) });

/** What an event of nobody's would cost, by the catalog's first meter. Nothing is stored by the question. */
async function prices(edge: EdgeCalls, { nowMs }: SmokeOptions): Promise<Outcome> {
  const { meters } = expectBody(await edge.get("/admin/catalog"), 200, catalogSchema);
  const meter = meters.find(
    ({ status, meter_properties }) => status === "ACTIVE" && !meter_properties.some((one) => one.required),
  );
  if (meter === undefined) return { notTried: "the catalog has no meter to price by" };
  const event = {
    meter_reference: meter.reference,
    customer_reference: "weir-smoke",
    timestamp: new Date(nowMs).toISOString(),
    meter_values: meter.meter_values.map(({ reference }) => ({ reference, number: "0" })),
  };
  const answer = await edge.post("/v1/events/calculate?cost_prediction=true", event);
  const { cost_prediction } = expectBody(answer, 201, predictionSchema);
  return { note: `${meter.reference}: ${cost_prediction.response}, ${answer.milliseconds} ms` };
}
