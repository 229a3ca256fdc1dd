/** Quarantine as its admin sees it: what is held and why, and the two ways out. */
import { usageStream } from "../../shared/events/kind.ts";
import { validationError } from "../../shared/events/validation-error.ts";
import { eventId } from "../../shared/identity.ts";
import { bodyError } from "../../shared/intake/usage-body.ts";
import { type Member, scanMembers } from "../../shared/json/document.ts";
import { refuse, type WeirContext, writerOf } from "../context.ts";
import type { Settings } from "../env.ts";
import { type BodyOutcome, jsonBody, notValid } from "../http/body.ts";
import { LIMIT, pageOf, ROW_CURSOR } from "../http/page.ts";
import { segment, wholeNumber, word } from "../http/parameters.ts";
import { ADMIN, type FindOutcome, route } from "../http/route.ts";
import type { QuarantineEntry, QuarantineItem } from "../ledger/quarantine.ts";
import { QUARANTINE_STATES, type QuarantineState } from "../ledger/stored-event.ts";
import { answer, VALIDATION_ERROR } from "../openapi/answers.ts";
import { schema } from "../openapi/component.ts";
import { COUNT, choice, described, type JsonSchema, list, object, TEXT, TIME } from "../openapi/json-schema.ts";
import { STREAM_NAME } from "./filters.ts";
import { headersOf } from "./quarantine-filter.ts";
import { replayEntry, replayReach } from "./replay.ts";

const STREAM = usageStream("web-egress");
const EVENT_ID = eventId("usage", STREAM, { by: "position", producer: "plant-7", position: 1 });
const CORRECTED = {
  CustomerId: "cus_1",
  UsageIdentifier: "egress_bytes",
  UsageDate: "2026-11-01T10:05:03Z",
  Quantity: 3,
};
const ITEM_EXAMPLE = {
  id: "1",
  event_id: EVENT_ID,
  stream: STREAM,
  state: "open",
  created_at: "2026-11-01T10:05:03.551Z",
  attempts: 0,
  headers: { org_ids: ["org-7"] },
  event: { CustomerId: "cus_1", Quantity: "many" },
  reasons: [validationError("Quantity must be a number, got a string", { index: 0, field: "Quantity" })],
};

const ITEM = schema(
  "QuarantineItem",
  object(
    {
      id: described(TEXT, "Its number among the tenant's entries."),
      event_id: TEXT,
      stream: STREAM_NAME,
      state: choice(QUARANTINE_STATES),
      created_at: TIME,
      attempts: described(COUNT, "How often it was replayed; open again, the last of them was refused."),
      event: { type: "object", description: "The event as it was sent, digit for digit." },
      reasons: list(VALIDATION_ERROR),
    },
    {
      headers: described(
        object({}, { entity_ids: list(TEXT), org_ids: list(TEXT), platform_id: TEXT }),
        "The ids it goes up with, where its request named any.",
      ),
      upstream: described(TEXT, "The upstream's response text, where it refused."),
      settled_at: TIME,
      reason: described(TEXT, "Why it was discarded."),
    },
  ),
);
const SETTLED = schema(
  "Settled",
  object({
    success: { type: "boolean", const: true },
    message: TEXT,
    id: described(TEXT, "The quarantine entry's id."),
    event_id: TEXT,
  }),
);
const settled = (message: string): JsonSchema =>
  answer(message, SETTLED, { success: true, message, id: "1", event_id: EVENT_ID });

const PENDING_AGAIN = "the event is pending again";
const DISCARDED = "the event is discarded";
/** Characters of a discard's reason that are kept. */
const REASON_MAX = 1000;

/** An event, and its envelope. */
const bodyBytesMax = ({ limits }: Settings) => limits.eventBytesMax + 65_536;

/** An event's text stays as it was written: a number of it is never read and written again. */
function readCorrection(text: string): BodyOutcome<Member | null> {
  const scanned = scanMembers(text);
  if (scanned.kind === "invalid") return notValid([bodyError(scanned.error)]);
  const stranger = [...scanned.members.keys()].find((name) => name !== "event");
  if (stranger === undefined) return { kind: "body", body: scanned.members.get("event") ?? null };
  return notValid([], `${JSON.stringify(stranger)} is not a field here; send {"event":{…}} or nothing`);
}

const CORRECTION = jsonBody({
  schema: object(
    {},
    { event: { type: "object", additionalProperties: true, description: "The corrected event; absent: as it is." } },
    { additionalProperties: false },
  ),
  example: { event: CORRECTED },
  required: false,
  bytesMax: bodyBytesMax,
  read: readCorrection,
});

function readReason(text: string): BodyOutcome<string> {
  const scanned = scanMembers(text);
  if (scanned.kind === "invalid") return notValid([bodyError(scanned.error)]);
  const reason = scanned.members.get("reason")?.value;
  if (typeof reason === "string" && reason.trim() !== "" && reason.length <= REASON_MAX)
    return { kind: "body", body: reason };
  return notValid([], `say why: {"reason":"…"}, at most ${REASON_MAX} characters`);
}

const REASON = jsonBody({
  schema: object({
    reason: { ...TEXT, minLength: 1, maxLength: REASON_MAX, description: "Why; kept on record." },
  }),
  example: { reason: "a test of ours, never used" },
  bytesMax: bodyBytesMax,
  read: readReason,
});

interface Listing {
  readonly state: QuarantineState;
  readonly cursor: number;
  readonly limit: number;
}

async function listQuarantine(c: WeirContext, { state, cursor, limit }: Listing): Promise<Response> {
  const items = await c.get("services").quarantine.list(c.get("tenant"), state, cursor, limit + 1);
  const shown = items.slice(0, limit);
  const next = items.length > limit ? String(shown.at(-1)?.number) : null;
  c.header("Content-Type", "application/json");
  return c.body(`{"items":[${shown.map(itemJson).join(",")}],"next":${JSON.stringify(next)}}`);
}

/** The event stands in the answer by its source text: a number of it is never read and written again. */
function itemJson(item: QuarantineItem): string {
  const { event, reasons, context, ...rest } = item;
  const fields = {
    id: String(rest.number),
    event_id: rest.event_id,
    stream: rest.stream,
    state: rest.state,
    created_at: new Date(rest.created_at).toISOString(),
    attempts: rest.attempts,
    ...(context === "" ? {} : { headers: headersOf(context) }),
    ...(rest.upstream === null ? {} : { upstream: rest.upstream }),
    ...(rest.settled_at === null ? {} : { settled_at: new Date(rest.settled_at).toISOString() }),
    ...(rest.note === null ? {} : { reason: rest.note }),
  };
  return `${JSON.stringify(fields).slice(0, -1)},"event":${event},"reasons":${reasons}}`;
}

async function findEntry(c: WeirContext, { id: text }: { readonly id: string }): Promise<FindOutcome<QuarantineEntry>> {
  const number = wholeNumber(text);
  const found = number === null ? null : await c.get("services").quarantine.find(c.get("tenant"), number);
  return found === null ? { kind: "missing", message: "there is no such quarantine entry" } : { kind: "found", found };
}

async function replayQuarantined(c: WeirContext, entry: QuarantineEntry, given: Member | null): Promise<Response> {
  const outcome = await replayEntry(c, entry, given, entry.context, await replayReach(c));
  if (outcome.kind === "refused") return refuse(c, outcome.status, outcome.message, outcome.reasons);
  c.executionCtx.waitUntil(c.get("services").nudge(c.get("tenant"), entry.stream));
  return c.json({ success: true, message: PENDING_AGAIN, id: String(entry.number), event_id: entry.event_id }, 202);
}

async function discardQuarantined(c: WeirContext, entry: QuarantineEntry, reason: string): Promise<Response> {
  const outcome = await c.get("services").quarantine.discard(c.get("tenant"), entry, reason, writerOf(c));
  if (outcome.kind !== "done") return refuse(c, 409, "the entry was replayed or discarded before");
  return c.json({ success: true, message: DISCARDED, id: String(entry.number), event_id: entry.event_id });
}

const ENTRY_ID = segment("A quarantine entry's id.", "1");

export const quarantineRoutes = [
  route(
    {
      method: "get",
      path: "/admin/quarantine",
      permission: ADMIN,
      query: {
        state: word("state", QUARANTINE_STATES, "open", "Open unless named.", "open"),
        limit: LIMIT,
        cursor: ROW_CURSOR,
      },
      id: "listQuarantine",
      tag: "Quarantine",
      summary: "List what waits for a person, and why",
      answers: { 200: answer("A page of entries.", pageOf(ITEM), { items: [ITEM_EXAMPLE], next: null }) },
    },
    (c, { query }) => listQuarantine(c, query),
  ),
  route(
    {
      method: "post",
      path: "/admin/quarantine/:id/replay",
      permission: ADMIN,
      params: { id: ENTRY_ID },
      find: findEntry,
      body: CORRECTION,
      id: "replayQuarantined",
      tag: "Quarantine",
      summary: "Send an event again, as it is or corrected; it keeps its id",
      answers: { 202: settled(PENDING_AGAIN) },
      refusals: [403, 409],
    },
    (c, { found, body }) => replayQuarantined(c, found, body),
  ),
  route(
    {
      method: "post",
      path: "/admin/quarantine/:id/discard",
      permission: ADMIN,
      params: { id: ENTRY_ID },
      find: findEntry,
      body: REASON,
      id: "discardQuarantined",
      tag: "Quarantine",
      summary: "Give an event up; it stays on record and is known as a duplicate",
      answers: { 200: settled(DISCARDED) },
      refusals: [409],
    },
    (c, { found, body }) => discardQuarantined(c, found, body),
  ),
];
