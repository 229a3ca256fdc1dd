import { toHex } from "../../shared/identity.ts";
import { sha256OfText } from "../../shared/sha256.ts";

/** SHA-256 of a key, hex, as kept in `api_keys.hash`. Keys are long and random, so one plain hash is enough. */
export function hashApiKey(key: string): string {
  return toHex(sha256OfText(key));
}
