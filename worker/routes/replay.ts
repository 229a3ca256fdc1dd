/** What a replay makes of a quarantined event: checked by its stream as it is now, and known by what it now says. */

import { type Kind, parseStream } from "../../shared/events/kind.ts";
import { checkSolvimonEvent, READ_ONLY } from "../../shared/events/solvimon-fields.ts";
import type { ValidationError } from "../../shared/events/validation-error.ts";
import { contentHash, eventId, type Identity, ownIdOf, toHex } from "../../shared/identity.ts";
import { quarantineError } from "../../shared/intake/solvimon-answer.ts";
import { type Member, scanMembers } from "../../shared/json/document.ts";
import type { JsonObject } from "../../shared/json/value.ts";
import { sha256OfText } from "../../shared/sha256.ts";
import type { Principal } from "../accounts/principal.ts";
import type { LoadedCatalog } from "../catalog/catalogs.ts";
import { type WeirContext, writerOf } from "../context.ts";
import { ledgerKey } from "../ledger/event-key.ts";
import type { QuarantineEntry, Replay } from "../ledger/quarantine.ts";
import { withoutNames } from "../ledger/stored-event.ts";
import { type Bounds, isWithin, UNBOUNDED } from "../tenants/bounds.ts";
import { feedErrors, type Measure, measureOfMeterData, measureOfUsage } from "../usage/measure.ts";
import { foreignMeters } from "./foreign-meters.ts";
import { heldContext } from "./quarantine-filter.ts";

export type Checked =
  | {
      readonly kind: "checked";
      readonly of: Kind;
      readonly errors: readonly ValidationError[];
      readonly ownIdField: string | null;
      readonly measure: Measure | null;
    }
  | { readonly kind: "unknown-stream" };

/** Holds an event against its stream's schema as it is now. */
export async function checkAgain(
  stream: string,
  value: JsonObject,
  loadCatalog: () => Promise<LoadedCatalog>,
): Promise<Checked> {
  const parsed = parseStream(stream);
  if (parsed === null) return { kind: "unknown-stream" };
  if (parsed.kind !== "usage") {
    const inItself = checkSolvimonEvent(parsed.kind, value);
    const unknown = async () => (await loadCatalog()).references?.unknown(parsed.kind, value) ?? [];
    const errors = (inItself.length > 0 ? inItself : await unknown()).map((error) => quarantineError(error, 0));
    const measure = parsed.kind === "meter-data" ? measureOfMeterData(value) : null;
    return { kind: "checked", of: parsed.kind, errors, ownIdField: "reference", measure };
  }
  const found = (await loadCatalog()).streams.get(parsed.meterGlobalId);
  if (found === undefined) return { kind: "unknown-stream" };
  return {
    kind: "checked",
    of: "usage",
    errors: [...found.check(value), ...feedErrors(value, found.schema)],
    ownIdField: found.schema.event_id_field ?? null,
    measure: measureOfUsage(value, found.schema),
  };
}

/** What a corrected event is to be known by: its own id where it has one, its content where that was its identity. */
export function replayOf(
  tenant: string,
  entry: QuarantineEntry,
  source: string,
  value: JsonObject,
  { of: kind, ownIdField, measure }: Extract<Checked, { kind: "checked" }>,
  given: boolean,
  context = entry.context,
): Replay {
  const hash = isKnownByPosition(kind, entry)
    ? sha256OfText(source)
    : contentHash(value, kind === "usage" ? undefined : READ_ONLY[kind]);
  const ownId = ownIdField === null ? null : ownIdOf(value.get(ownIdField));
  const identity: Identity | null = ownId === null ? contentIdentity(entry, hash) : { by: "id", id: ownId };
  const knownId = identity === null ? entry.event_id : eventId(kind, entry.stream, identity, entry.sent_ids ?? "");
  const key = given && knownId !== entry.event_id ? ledgerKey(tenant, knownId) : null;
  return { source, hash, context, ownIdField, corrected: given && source !== entry.event, key, measure };
}

export type ReplayOutcome =
  | { readonly kind: "pending" }
  /** It stays as it is. */
  | {
      readonly kind: "refused";
      readonly status: 400 | 403 | 404 | 409 | 413;
      readonly message: string;
      readonly reasons: readonly ValidationError[];
    };

/** How far a replay may reach: as its event's first request would, with this key, now. */
export interface ReplayReach {
  readonly maker: Principal;
  /** What the event's tenant may name. */
  readonly allowed: Bounds;
}

export async function replayReach(c: WeirContext): Promise<ReplayReach> {
  const tenant = await c.get("services").tenants.find(c.get("tenant"));
  return { maker: c.get("principal"), allowed: tenant?.allowed ?? UNBOUNDED };
}

/** What an event's stream or its own text names that its tenant may not use. */
function beyondReach(stream: string, value: JsonObject, { allowed }: ReplayReach): ReplayOutcome | null {
  const parsed = parseStream(stream);
  if (parsed?.kind === "usage" && !isWithin(allowed.meters, parsed.meterGlobalId))
    return refused(403, "the tenant may not use this meter");
  if (parsed?.kind !== "meter-data") return null;
  const [foreign] = foreignMeters(parsed.kind, value, allowed).map((error) => quarantineError(error, 0));
  return foreign === undefined ? null : refused(400, foreign.message, [foreign]);
}

/**
 * Makes an entry's event pending again.
 * @param given the corrected event; null for the event as it is.
 * @param named the ids that it goes up with: JSON of an UpstreamContext, or "". What they leave out the key's or the
 * tenant's own stand in for.
 */
export async function replayEntry(
  c: WeirContext,
  entry: QuarantineEntry,
  given: Member | null,
  named: string,
  reach: ReplayReach,
): Promise<ReplayOutcome> {
  const tenant = c.get("tenant");
  const source = given?.source ?? entry.event;
  const scanned = scanMembers(source);
  if (scanned.kind === "invalid") return refused(400, `event: ${scanned.error.message}`);
  const value: JsonObject = new Map([...scanned.members].map(([name, member]) => [name, member.value]));
  const { catalogs, quarantine, settings, clock } = c.get("services");
  if (new TextEncoder().encode(source).length > settings.limits.eventBytesMax)
    return refused(413, `the event has more than ${settings.limits.eventBytesMax} bytes`);
  const checked = await checkAgain(entry.stream, value, () => catalogs.load(tenant, clock.now(), true));
  if (checked.kind === "unknown-stream")
    return refused(404, `there is no stream ${JSON.stringify(entry.stream)} any more`);
  if (checked.errors.length > 0)
    return refused(400, "the event is still not valid; it stays in quarantine", checked.errors);
  const foreign = beyondReach(entry.stream, value, reach);
  if (foreign !== null) return foreign;
  const { context, errors } = heldContext(named, checked.of, reach.maker, reach.allowed);
  if (errors.length > 0) return refused(400, `it would go where it may not: ${errors[0]?.message}`, errors);
  const replay = replayOf(tenant, entry, source, value, checked, given !== null, context);
  const outcome = await quarantine.replay(tenant, entry, replay, writerOf(c));
  if (outcome.kind === "settled") return refused(409, "the entry was replayed or discarded before");
  if (outcome.kind === "known-elsewhere")
    return refused(409, "the corrected event was accepted before under another id");
  return { kind: "pending" };
}

function refused(
  status: 400 | 403 | 404 | 409 | 413,
  message: string,
  reasons: readonly ValidationError[] = [],
): Extract<ReplayOutcome, { kind: "refused" }> {
  return { kind: "refused", status, message, reasons };
}

/** Such an event is compared by its very bytes. */
function isKnownByPosition(kind: Kind, { event_id, stream, producer, first, entry }: QuarantineEntry): boolean {
  if (first === null) return false;
  return event_id === eventId(kind, stream, { by: "position", producer, position: first + entry });
}

/** By which a corrected event without own id is known as well; null where its key, its position or nothing tells it. */
function contentIdentity(entry: QuarantineEntry, hash: Uint8Array): Identity | null {
  if (entry.idempotency_key !== null || entry.first !== null) return null;
  const filed = withoutNames(entry, Number.parseInt(entry.ordinal, 16));
  // Of two equal events that are corrected alike each stays itself.
  return filed.by === "new" ? null : { by: "content", hash: toHex(hash), number: filed.number };
}
