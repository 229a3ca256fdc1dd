/** What an event would cost: Solvimon's calculate operation, answered from the catalog and the usage so far. */
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { READ_ONLY, referenceOf } from "../../shared/events/solvimon-fields.ts";
import { contentHash, eventId, sentIdsText } from "../../shared/identity.ts";
import { idempotencyKeyError } from "../../shared/intake/headers.ts";
import { sentIdsOf } from "../../shared/intake/sent-ids.ts";
import { resourceText, type SolvimonReason, solvimonErrors } from "../../shared/intake/solvimon-answer.ts";
import { readSolvimonEvent, type SolvimonEvent } from "../../shared/intake/solvimon-body.ts";
import { solvimonDialect } from "../../shared/intake/solvimon-dialect.ts";
import { HEADER } from "../../shared/wire.ts";
import type { LoadedCatalog } from "../catalog/catalogs.ts";
import { refuse, type WeirContext } from "../context.ts";
import { passCalculation } from "../delivery/pass-calculation.ts";
import { type Parameter, value } from "../http/parameters.ts";
import { route } from "../http/route.ts";
import { identify } from "../intake/identify.ts";
import { withStandIn } from "../intake/scope.ts";
import { withBody } from "../intake/with-body.ts";
import type { IncomingEvent } from "../ledger/plan.ts";
import { logWarning } from "../log.ts";
import { answer } from "../openapi/answers.ts";
import { schema } from "../openapi/component.ts";
import { ACCEPT_ENCODING, IDEMPOTENCY_KEY } from "../openapi/headers.ts";
import { choice, described, object, TEXT } from "../openapi/json-schema.ts";
import { EXAMPLE } from "../openapi/solvimon-examples.ts";
import { EVENT_SCHEMA, RESOURCE_SCHEMA } from "../openapi/solvimon-schemas.ts";
import { NOT_MATCHED_VARIANTS } from "../pricing/lines.ts";
import { type CalculateOutcome, calculate } from "../usage/calculate.ts";
import { UsageTooLargeError } from "../usage/usage-too-large.ts";
import { foreignMeters } from "./foreign-meters.ts";
import { bodyRequestOf, toResponse } from "./ingest.ts";
import { VERSION, versioned } from "./version.ts";

const METER_DATA = solvimonDialect("meter-data", "single");

async function answerCalculation(c: WeirContext): Promise<Response> {
  const { settings, admission } = c.get("services");
  const { limits } = settings;
  const bounds = { forms: ["json"], bytesMax: Math.min(limits.bodyBytesMax, limits.eventBytesMax) } as const;
  const answered = await withBody(bodyRequestOf(c), bounds, admission, (bytes) => answerWithin(c, bytes));
  return answered instanceof Response ? answered : toResponse(c, METER_DATA.answer(answered));
}

async function answerWithin(c: WeirContext, bytes: Uint8Array): Promise<Response> {
  try {
    return await answerBody(c, bytes);
  } catch (error) {
    if (!(error instanceof UsageTooLargeError)) throw error;
    c.header("Retry-After", "1");
    return refuse(c, 503, "the usage so far is more than can be read at once; what is not folded yet will be less");
  }
}

async function answerBody(c: WeirContext, bytes: Uint8Array): Promise<Response> {
  const body = readSolvimonEvent(bytes, "meter-data", c.get("services").settings.limits, (event) => event);
  if (body.kind === "too-large") return refuse(c, 413, body.message);
  if (body.kind === "malformed") return refuseEvent(c, [body.reason]);
  const [event] = body.events;
  if (event === undefined) throw new Error("a body without an event was read");
  const asked = askedOf(c);
  const foreign = event.errors.length > 0 ? [] : foreignMeters("meter-data", event.value, c.get("principal").bounds);
  const errors = [...asked.errors, ...event.errors, ...foreign];
  if (errors.length > 0) return refuseEvent(c, errors);
  return answerEvent(c, event, asked.isPredicted, bytes);
}

/** Answers with all errors; their index means nothing where there is one event. */
function refuseEvent(c: WeirContext, reasons: readonly SolvimonReason[]): Response {
  const [first, ...rest] = reasons.map(({ index: _, ...reason }) => reason);
  if (first === undefined) throw new Error("a refusal without a reason");
  return c.json(solvimonErrors([first, ...rest]), 400);
}

/** What the request asks for beside its body. */
function askedOf(c: WeirContext): { readonly isPredicted: boolean; readonly errors: readonly SolvimonReason[] } {
  const prediction = c.req.queries("cost_prediction") ?? ["false"];
  const isSound = prediction.length === 1 && ["true", "false"].includes(prediction[0] ?? "");
  const key = idempotencyKeyError(c.req.header(HEADER.idempotencyKey) ?? null);
  const errors: SolvimonReason[] = sentIdsOf((name) => c.req.header(name) ?? null).errors.map(({ message, field }) => ({
    code: "INVALID_FIELD",
    message,
    ...(field === undefined ? {} : { field }),
  }));
  if (!isSound)
    errors.push({ code: "INVALID_FIELD", message: "cost_prediction is true or false", field: "cost_prediction" });
  if (key !== null)
    errors.push({
      code: "INVALID_FIELD",
      message: key.message,
      ...(key.field === undefined ? {} : { field: key.field }),
    });
  return { isPredicted: prediction[0] === "true", errors };
}

async function answerEvent(
  c: WeirContext,
  event: SolvimonEvent,
  isPredicted: boolean,
  bytes: Uint8Array,
): Promise<Response> {
  const { catalogs, usage, clock } = c.get("services");
  const { tenant } = c.get("principal");
  const now = clock.now();
  let catalog = await catalogs.load(tenant, now);
  const isComparable = catalog.document.settings.deduplicate_by_content?.["meter-data"] ?? true;
  const { id, key } = identityOf(c, event, isComparable);
  // Only what its sender calls by a name is the same event in a calculation as in ingestion; equal contents are two.
  const asked = { tenant, event: event.value, now, isPredicted, key: referenceOf(event.value) === null ? null : key };
  const calculateBy = (by: LoadedCatalog) => calculate(by, usage, asked);
  let outcome: CalculateOutcome | null = hasPlans(catalog) ? await calculateBy(catalog) : null;
  if (outcome === null || outcome.kind === "errors") {
    // What is unknown may have been added a second ago.
    const fresh = await catalogs.load(tenant, now, true);
    if (outcome === null || fresh.version !== catalog.version) outcome = await calculateBy(fresh);
    catalog = fresh;
  }
  const passed = hasPlans(catalog) ? null : await pass(c, bytes);
  if (passed !== null) return passed;
  if (outcome.kind === "errors") return refuseEvent(c, outcome.errors);
  return c.body(calculationText(id, event, outcome, now), 201, { "Content-Type": "application/json" });
}

/** Without a plan Weir knows no price: a catalog may hold streams alone. */
function hasPlans({ document }: LoadedCatalog): boolean {
  return document.pricing_plans.length > 0;
}

/** Null where there is no Solvimon to pass it to. */
async function pass(c: WeirContext, body: Uint8Array): Promise<Response | null> {
  const { settings, fetch, directory, clock } = c.get("services");
  const query = new URL(c.req.url).search;
  const named = sentIdsOf((name) => c.req.header(name) ?? null).ids;
  const { ids, errors } = withStandIn(named, c.get("principal").standIn, "meter-data");
  const [unnamed] = errors.filter(({ field }) => field === HEADER.platformId);
  if (unnamed !== undefined) return refuse(c, 400, unnamed.message, [unnamed]);
  const outcome = await passCalculation(fetch, directory, {
    tenant: c.get("principal").tenant,
    now: clock.now(),
    timeoutMs: settings.upstreamTimeoutMs,
    ...{ body, query, platformId: ids.platformId },
  });
  if (outcome === null) return null;
  if (outcome.kind === "answer") {
    return c.body(outcome.text, outcome.status as ContentfulStatusCode, { "Content-Type": outcome.contentType });
  }
  logWarning("a calculation passed to Solvimon got no answer", outcome.cause, {});
  c.header("Retry-After", "1");
  return refuse(c, 503, "Solvimon did not answer; try again");
}

/**
 * The id that ingesting the event would give, and the ledger's key for it.
 * @param isComparable whether meter data of this tenant is known by its content.
 */
function identityOf(
  c: WeirContext,
  { source, value }: SolvimonEvent,
  isComparable: boolean,
): Pick<IncomingEvent, "id" | "key"> {
  const digested = {
    source,
    from: 0,
    to: 0,
    reasons: [],
    hash: contentHash(value, READ_ONLY["meter-data"]),
    ownId: referenceOf(value),
    isKnownByContent: isComparable && METER_DATA.carriesTime(value),
  };
  const [identified] = identify([digested], {
    tenant: c.get("principal").tenant,
    kind: "meter-data",
    stream: "meter-data",
    idempotencyKey: c.req.header(HEADER.idempotencyKey) ?? null,
    position: null,
    bytes: new Uint8Array(0),
    sentIds: sentIdsText(sentIdsOf((name) => c.req.header(name) ?? null).ids),
    nonce: crypto.randomUUID(),
  });
  if (identified === undefined) throw new Error("an event without an identity");
  return identified;
}

type Calculated = Extract<CalculateOutcome, { kind: "calculated" }>;

/** The resource that ingesting the event would give, with what the calculation says. */
function calculationText(id: string, { source }: SolvimonEvent, outcome: Calculated, now: number): string {
  const at = new Date(now).toISOString();
  return resourceText("meter-data", id, source, at, {
    members: {
      type: '"CALCULATION"',
      created_at: JSON.stringify(at),
      cost_prediction: JSON.stringify(outcome.prediction),
      processed_details: JSON.stringify(processedDetails(id, outcome)),
      deleted: "false",
    },
  });
}

/** What was accepted under a reference has the id that the reference gives. */
function processedDetails(id: string, { notMatched, isDuplicate }: Calculated) {
  if (isDuplicate) return { type: "DUPLICATE", duplicate: { of_meter_data_id: id } };
  return notMatched === null ? { type: "DEFAULT" } : { type: "NOT_MATCHED", not_matched: { variant: notMatched } };
}

const EVENT = EXAMPLE["meter-data"];
const ANSWER_EXAMPLE = {
  object_type: "METER_DATA",
  id: eventId("meter-data", "meter-data", { by: "id", id: EVENT.reference }),
  ...EVENT,
  type: "CALCULATION",
  created_at: EVENT.timestamp,
  cost_prediction: null,
  processed_details: { type: "NOT_MATCHED", not_matched: { variant: "CUSTOMER_NOT_FOUND" } },
  deleted: false,
};

const CALCULATION = schema("MeterDataCalculation", {
  allOf: [
    RESOURCE_SCHEMA["meter-data"],
    object({
      type: { type: "string", const: "CALCULATION" },
      processed_details: object(
        { type: choice(["DEFAULT", "NOT_MATCHED", "DUPLICATE"]) },
        {
          duplicate: described(
            object({ of_meter_data_id: TEXT }),
            "With DUPLICATE: the meter data that was accepted under this reference; the event costs nothing more.",
          ),
          not_matched: described(
            object({ variant: choice(NOT_MATCHED_VARIANTS) }),
            "With NOT_MATCHED: why no price asks for the event; the first of these that holds.",
          ),
        },
      ),
    }),
  ],
  description: "Meter data as it would be, and its cost.",
});

/** Read with the event, so that a refusal lists what is wrong with both. */
const COST_PREDICTION: Parameter<null> = {
  schema: { type: "boolean", default: false },
  description: "Whether to say the cost.",
  example: false,
  read: () => value(null),
};

export const calculateRoutes = [
  route(
    {
      method: "post",
      path: versioned("/events/calculate"),
      permission: ["METER_DATA.INGEST"],
      params: { version: VERSION },
      query: { cost_prediction: COST_PREDICTION },
      headers: [ACCEPT_ENCODING, IDEMPOTENCY_KEY],
      ownBody: { "application/json": { schema: EVENT_SCHEMA["meter-data"], example: EVENT } },
      id: "calculateCost",
      tag: "Solvimon",
      dialect: "Solvimon",
      summary: "Say what an event would cost",
      description:
        "The price of the usage so far with this event, less the price without it, line by line. Nothing is stored. " +
        "Where the catalog has no pricing plan the call is passed to Solvimon.",
      answers: {
        201: answer("The event as it would be, and its cost.", CALCULATION, ANSWER_EXAMPLE),
      },
    },
    answerCalculation,
  ),
];
