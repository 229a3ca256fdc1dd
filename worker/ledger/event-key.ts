/** By what the ledger knows an event. */
import { KEY_HASH_BYTES, toHex } from "../../shared/identity.ts";
import { sha256OfText } from "../../shared/sha256.ts";

/**
 * The ledger's key of an event: first 16 bytes, in hex, of SHA-256 over tenant and id. The id stands for kind,
 * stream and identity; the same event of two tenants is two events.
 */
export function ledgerKey(tenant: string, eventId: string): string {
  return toHex(sha256OfText(`${tenant}\n${eventId}`).subarray(0, KEY_HASH_BYTES));
}
