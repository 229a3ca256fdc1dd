/** The commands by which a person sends one event through all three and looks where it went. Pure. */
import type { LedgerAddresses } from "../reconcile/ledgers.ts";
import { LOCAL_KEYS } from "../sample/local-keys.ts";
import { SAMPLE_PATH } from "../sample/sample.ts";

const CUSTOMER = "cus_you";

/** @param now when the event is said to have happened. Commands are indented and can be pasted as they are. */
export function invitationLines({ agent, edge, twin }: LedgerAddresses, now: Date): string[] {
  const event = {
    CustomerId: CUSTOMER,
    UsageIdentifier: "egress_bytes",
    UsageDate: `${now.toISOString().slice(0, 19)}Z`,
    Quantity: 42,
  };
  return [
    "Send one yourself, in a second terminal:",
    "",
    `  answer=$(curl -sS ${agent}${SAMPLE_PATH} \\`,
    "    -H 'Content-Type: application/json' -H 'Prefer: return=representation' \\",
    `    -d '${JSON.stringify(event)}')`,
    '  echo "$answer"',
    "",
    "What the edge did with it, and where it arrived:",
    "",
    `  id=$(echo "$answer" | grep -o 'usev_[0-9A-Za-z]*')`,
    `  curl -sS ${edge}/admin/events/$id -H 'X-API-KEY: ${LOCAL_KEYS.admin}'; echo`,
    `  curl -sS ${twin}/twin/events | grep ${CUSTOMER}`,
  ];
}
