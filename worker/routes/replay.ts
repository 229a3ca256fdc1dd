/** What a replay makes of a quarantined event: checked by its stream as it is now, and known by what it now says. */
import { type Kind, parseStream } from "../../shared/events/kind.ts";
import { checkSolvimonEvent, READ_ONLY } from "../../shared/events/solvimon-fields.ts";
import type { ValidationError } from "../../shared/events/validation-error.ts";
import { contentHash, eventId, ownIdOf } from "../../shared/identity.ts";
import { quarantineError } from "../../shared/intake/solvimon-answer.ts";
import type { JsonObject } from "../../shared/json/value.ts";
import type { LoadedCatalog } from "../catalog/catalogs.ts";
import { ledgerKey } from "../ledger/event-key.ts";
import type { QuarantineEntry, Replay } from "../ledger/quarantine.ts";
import { type Measure, measureOfMeterData, measureOfUsage } from "../usage/measure.ts";

export type Checked =
  | {
      readonly kind: "checked";
      readonly of: Kind;
      readonly faults: readonly ValidationError[];
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
    const faults = checkSolvimonEvent(parsed.kind, value).map((fault) => quarantineError(fault, 0));
    const measure = parsed.kind === "meter-data" ? measureOfMeterData(value) : null;
    return { kind: "checked", of: parsed.kind, faults, ownIdField: "reference", measure };
  }
  const found = (await loadCatalog()).streams.get(parsed.meterGlobalId);
  if (found === undefined) return { kind: "unknown-stream" };
  return {
    kind: "checked",
    of: "usage",
    faults: found.check(value),
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
): Replay {
  const hash = contentHash(value, kind === "usage" ? undefined : READ_ONLY[kind]);
  const ownId = ownIdField === null ? null : ownIdOf(value.get(ownIdField));
  const byContent = entry.idempotency_key === null && entry.first === null;
  const identity = ownId === null ? { by: "content" as const, hash } : { by: "id" as const, id: ownId };
  const knownId = eventId(kind, entry.stream, identity);
  const key = given && knownId !== entry.event_id && (ownId !== null || byContent) ? ledgerKey(tenant, knownId) : null;
  return { source, hash, ownIdField, corrected: given && source !== entry.event, key, measure };
}
