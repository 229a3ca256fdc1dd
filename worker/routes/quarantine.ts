/** Quarantine as its admin sees it: what is held and why, and the two ways out. */
import type { Hono } from "hono";
import { parseStream } from "../../shared/events/kind.ts";
import { checkSolvimonEvent, READ_ONLY } from "../../shared/events/solvimon-fields.ts";
import type { ValidationError } from "../../shared/events/validation-error.ts";
import { contentHash, eventId, ownIdOf } from "../../shared/identity.ts";
import { quarantineError } from "../../shared/intake/solvimon-answer.ts";
import { bodyError } from "../../shared/intake/usage-body.ts";
import { type Member, scanMembers } from "../../shared/json/document.ts";
import { decodeBody } from "../../shared/json/utf8.ts";
import type { JsonObject } from "../../shared/json/value.ts";
import type { LoadedCatalog } from "../catalog/catalogs.ts";
import { refuse, type WeirContext, type WeirEnv } from "../context.ts";
import { readBody } from "../intake/read-body.ts";
import { ledgerKey } from "../ledger/event-key.ts";
import type { QuarantineEntry, QuarantineItem, Replay } from "../ledger/quarantine.ts";
import { QUARANTINE_STATES } from "../ledger/stored-event.ts";
import { requirePermission } from "../middleware/authenticate.ts";
import { type Measure, measureOfMeterData, measureOfUsage } from "../usage/measure.ts";
import { pageOf, wholeNumber } from "./page.ts";
import { tenantOf } from "./tenant.ts";

export function registerQuarantine(app: Hono<WeirEnv>): void {
  const admin = requirePermission("WEIR.ADMIN", "WEIR.OPERATOR");
  app.get("/admin/quarantine", admin, listQuarantine);
  app.post("/admin/quarantine/:id/replay", admin, replayQuarantined);
  app.post("/admin/quarantine/:id/discard", admin, discardQuarantined);
}

async function listQuarantine(c: WeirContext): Promise<Response> {
  const tenant = tenantOf(c);
  if (tenant === null) return refuse(c, 403, "the key may not name another tenant");
  const state = QUARANTINE_STATES.find((known) => known === (c.req.query("state") ?? "open"));
  if (state === undefined) return refuse(c, 400, `state is one of ${QUARANTINE_STATES.join(", ")}`);
  const page = pageOf(c);
  if (page.kind === "fault") return refuse(c, 400, page.fault.message, [page.fault]);
  const items = await c.get("services").quarantine.list(tenant, state, page.after, page.limit + 1);
  const shown = items.slice(0, page.limit);
  const next = items.length > page.limit ? String(shown.at(-1)?.id) : null;
  c.header("Content-Type", "application/json");
  return c.body(`{"items":[${shown.map(itemJson).join(",")}],"next":${JSON.stringify(next)}}`);
}

/** The event stands in the answer by its source text: a number of it is never read and written again. */
function itemJson(item: QuarantineItem): string {
  const { event, reasons, ...rest } = item;
  const fields = {
    id: String(rest.id),
    event_id: rest.event_id,
    stream: rest.stream,
    state: rest.state,
    created_at: new Date(rest.created_at).toISOString(),
    ...(rest.upstream === null ? {} : { upstream: rest.upstream }),
    ...(rest.settled_at === null ? {} : { settled_at: new Date(rest.settled_at).toISOString() }),
    ...(rest.note === null ? {} : { reason: rest.note }),
  };
  return `${JSON.stringify(fields).slice(0, -1)},"event":${event},"reasons":${reasons}}`;
}

type FoundEntry = {
  readonly tenant: string;
  readonly entry: QuarantineEntry;
  readonly members: ReadonlyMap<string, Member>;
};

/** The entry a call names and the members of its body, or the refusal. */
async function entryOf(c: WeirContext): Promise<FoundEntry | Response> {
  const tenant = tenantOf(c);
  if (tenant === null) return refuse(c, 403, "the key may not name another tenant");
  const id = wholeNumber(c.req.param("id") ?? "");
  const entry = id === null ? null : await c.get("services").quarantine.find(tenant, id);
  if (entry === null) return refuse(c, 404, "there is no such quarantine entry");
  const bytesMax = c.get("services").settings.limits.eventBytesMax + 65_536;
  const read = await readBody(c.req.raw.body, "identity", bytesMax);
  if (read.kind === "too-large") return refuse(c, 413, `the body has more than ${bytesMax} bytes`);
  if (read.kind === "broken") return refuse(c, 400, "the body ended early");
  const decoded = decodeBody(read.bytes);
  if (decoded.kind === "text" && decoded.text.trim() === "") return { tenant, entry, members: new Map() };
  const scanned = decoded.kind === "text" ? scanMembers(decoded.text) : decoded;
  if (scanned.kind === "members") return { tenant, entry, members: scanned.members };
  const fault = bodyError(scanned.error);
  return refuse(c, 400, fault.message, [fault]);
}

async function replayQuarantined(c: WeirContext): Promise<Response> {
  const found = await entryOf(c);
  if (found instanceof Response) return found;
  const { tenant, entry, members } = found;
  const stranger = [...members.keys()].find((name) => name !== "event");
  if (stranger !== undefined)
    return refuse(c, 400, `${JSON.stringify(stranger)} is not a field here; send {"event":{…}} or nothing`);
  const given = members.get("event");
  const source = given?.source ?? entry.event;
  const scanned = scanMembers(source);
  if (scanned.kind === "invalid") return refuse(c, 400, `event: ${scanned.error.message}`);
  const value: JsonObject = new Map([...scanned.members].map(([name, member]) => [name, member.value]));
  const { catalogs, quarantine, settings, clock, nudge } = c.get("services");
  if (new TextEncoder().encode(source).length > settings.limits.eventBytesMax) {
    return refuse(c, 413, `the event has more than ${settings.limits.eventBytesMax} bytes`);
  }
  const checked = await checkAgain(entry.stream, value, () => catalogs.load(tenant, clock.now(), true));
  if (checked.kind === "unknown-stream")
    return refuse(c, 404, `there is no stream ${JSON.stringify(entry.stream)} any more`);
  if (checked.faults.length > 0)
    return refuse(c, 400, "the event is still not valid; it stays in quarantine", checked.faults);
  const replay = replayOf(tenant, entry, source, value, checked, given !== undefined);
  const outcome = await quarantine.replay(tenant, entry, replay);
  if (outcome.kind === "settled") return refuse(c, 409, "the entry was replayed or discarded before");
  if (outcome.kind === "known-elsewhere")
    return refuse(c, 409, "the corrected event was taken before under another id");
  c.executionCtx.waitUntil(nudge(tenant, entry.stream));
  return c.json(
    { success: true, message: "the event is pending again", id: String(entry.id), event_id: entry.event_id },
    202,
  );
}

type Checked =
  | {
      readonly kind: "checked";
      readonly faults: readonly ValidationError[];
      readonly ownIdField: string | null;
      readonly measure: Measure | null;
    }
  | { readonly kind: "unknown-stream" };

/** Holds an event against its stream's schema as it is now. */
async function checkAgain(
  stream: string,
  value: JsonObject,
  loadCatalog: () => Promise<LoadedCatalog>,
): Promise<Checked> {
  const parsed = parseStream(stream);
  if (parsed === null) return { kind: "unknown-stream" };
  if (parsed.kind !== "usage") {
    const faults = checkSolvimonEvent(parsed.kind, value).map((fault) => quarantineError(fault, 0));
    const measure = parsed.kind === "meter-data" ? measureOfMeterData(value) : null;
    return { kind: "checked", faults, ownIdField: "reference", measure };
  }
  const found = (await loadCatalog()).streams.get(parsed.meterGlobalId);
  if (found === undefined) return { kind: "unknown-stream" };
  return {
    kind: "checked",
    faults: found.check(value),
    ownIdField: found.schema.event_id_field ?? null,
    measure: measureOfUsage(value, found.schema),
  };
}

/** What a corrected event is to be known by: its own id where it has one, its content where that was its identity. */
function replayOf(
  tenant: string,
  entry: QuarantineEntry,
  source: string,
  value: JsonObject,
  { ownIdField, measure }: Pick<Replay, "ownIdField" | "measure">,
  given: boolean,
): Replay {
  const kind = parseStream(entry.stream)?.kind ?? "usage";
  const hash = contentHash(value, kind === "usage" ? undefined : READ_ONLY[kind]);
  const ownId = ownIdField === null ? null : ownIdOf(value.get(ownIdField));
  const byContent = entry.idempotency_key === null && entry.first === null;
  const identity = ownId === null ? { by: "content" as const, hash } : { by: "id" as const, id: ownId };
  const knownId = eventId(kind, entry.stream, identity);
  const key = given && knownId !== entry.event_id && (ownId !== null || byContent) ? ledgerKey(tenant, knownId) : null;
  return { source, hash, ownIdField, corrected: given && source !== entry.event, key, measure };
}

/** Characters of a discard's reason that are kept. */
const REASON_MAX = 1000;

async function discardQuarantined(c: WeirContext): Promise<Response> {
  const found = await entryOf(c);
  if (found instanceof Response) return found;
  const reason = found.members.get("reason")?.value;
  if (typeof reason !== "string" || reason.trim() === "" || reason.length > REASON_MAX) {
    return refuse(c, 400, `say why: {"reason":"…"}, at most ${REASON_MAX} characters`);
  }
  const outcome = await c.get("services").quarantine.discard(found.tenant, found.entry, reason);
  if (outcome.kind !== "done") return refuse(c, 409, "the entry was replayed or discarded before");
  return c.json({
    success: true,
    message: "the event is discarded",
    id: String(found.entry.id),
    event_id: found.entry.event_id,
  });
}
