/** Valid events of Solvimon's kinds, as odd in form as they may be. */
import type { SolvimonKind } from "../../../shared/events/kind.ts";

export const SOLVIMON_KINDS: readonly SolvimonKind[] = ["persist", "charge", "adjustment", "meter-data"];

const PRICING = '"pricing_id":"p","pricing_item_id":"pi","pricing_item_config_id":"pc"';

const FIELDS: Record<SolvimonKind, string> = {
  persist: `"customer_id":null,${PRICING},"pricing_plan_subscription_id":null`,
  charge: `"product_item_id":"it",${PRICING},"value":{"number":"1.50"}`,
  adjustment: '"product_item_id":"it","amount":{"quantity":"-1.00","currency":"EUR"}',
  "meter-data": '"meter_reference":"m","meter_values":[{"reference":"v","number":"0.10"}]',
};

/** A valid event; `more` are further members, say `"reference":"r-1"`. */
export function solvimonEvent(kind: SolvimonKind, more = ""): string {
  return `{ ${FIELDS[kind]}${more === "" ? "" : `,${more}`} , "extra" : 12345678901234567890.50}`;
}

/** Valid events that no other is like, each with a reference of its own. */
export function solvimonEvents(kind: SolvimonKind, count: number, first = 0): string[] {
  return Array.from({ length: count }, (_, i) => solvimonEvent(kind, `"reference":"reference-${first + i}"`));
}
