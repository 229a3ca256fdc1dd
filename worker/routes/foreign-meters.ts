/** The meters that meter data names, held against those its tenant may use. */
import type { SolvimonKind } from "../../shared/events/kind.ts";
import type { SolvimonReason } from "../../shared/intake/solvimon-answer.ts";
import type { Fields } from "../../shared/json/span.ts";
import { type Bounds, isWithin } from "../tenants/bounds.ts";

const ID_SHOWN = 100;

/** Answered like a meter that does not exist: of what is another's nothing is told. */
export function foreignMeters(kind: SolvimonKind, event: Fields, { meters }: Bounds): SolvimonReason[] {
  if (kind !== "meter-data" || meters === null) return [];
  return ["meter_id", "meter_reference"].flatMap((field) => {
    const name = event.get(field);
    if (typeof name !== "string" || isWithin(meters, name)) return [];
    const message = `the tenant has no ${field} ${JSON.stringify(name.slice(0, ID_SHOWN))}`;
    return [{ code: "METER_NOT_FOUND" as const, message, field }];
  });
}
