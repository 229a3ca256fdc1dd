/** By what the ledger knows an event. */
import { sha256 } from "@noble/hashes/sha2.js";
import { utf8ToBytes } from "@noble/hashes/utils.js";
import { KEY_HASH_BYTES, toHex } from "../../shared/identity.ts";

/**
 * The ledger's key of an event: first 16 bytes, in hex, of SHA-256 over tenant and id. The id stands for kind,
 * stream and identity; the same event of two tenants is two events.
 */
export function ledgerKey(tenant: string, eventId: string): string {
  return toHex(sha256(utf8ToBytes(`${tenant}\n${eventId}`)).subarray(0, KEY_HASH_BYTES));
}
