import { sha256 } from "@noble/hashes/sha2.js";
import { utf8ToBytes } from "@noble/hashes/utils.js";
import { toHex } from "../../shared/identity.ts";

/** SHA-256 of a key, hex, as kept in `api_keys.hash`. Keys are long and random, so one plain hash is enough. */
export function hashApiKey(key: string): string {
  return toHex(sha256(utf8ToBytes(key)));
}
