/** Finds the principal behind an API key. Keys are kept by their SHA-256 only. */

import { sha256 } from "@noble/hashes/sha2.js";
import { utf8ToBytes } from "@noble/hashes/utils.js";
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { toHex } from "../../shared/identity.ts";
import { apiKeys } from "../ledger/schema.ts";
import type { Principal } from "./principal.ts";

/** How long an instance believes a key without asking again. Writes are checked anew in their transaction. */
export const KEY_TTL_MS = 5_000;
/** Keys remembered in one instance; the oldest goes first. */
const KEYS_REMEMBERED_MAX = 1_000;

/** SHA-256 of a key, hex, as kept in `api_keys.hash`. Keys are long and random, so one plain hash is enough. */
export function hashApiKey(key: string): string {
  return toHex(sha256(utf8ToBytes(key)));
}

export interface KeyRing {
  /** Null for a key that is unknown, revoked or expired. */
  find(key: string, nowMs: number): Promise<Principal | null>;
}

interface Remembered {
  readonly principal: Principal;
  readonly until: number;
}

/** Keys read from D1 and remembered for a few seconds; unknown ones are not remembered, so that a new key works at once. */
export function createKeyRing(db: D1Database): KeyRing {
  const remembered = new Map<string, Remembered>();
  return {
    async find(key, nowMs) {
      const hash = hashApiKey(key);
      const known = remembered.get(hash);
      if (known !== undefined && nowMs < known.until) return known.principal;
      remembered.delete(hash);
      const row = await drizzle(db).select().from(apiKeys).where(eq(apiKeys.hash, hash)).get();
      if (row === undefined || row.revokedAt !== null || (row.expiresAt !== null && row.expiresAt <= nowMs))
        return null;
      const until = Math.min(nowMs + KEY_TTL_MS, row.expiresAt ?? Number.POSITIVE_INFINITY);
      const principal = principalOf(row);
      for (const oldest of remembered.size >= KEYS_REMEMBERED_MAX ? remembered.keys() : []) {
        remembered.delete(oldest);
        break;
      }
      remembered.set(hash, { principal, until });
      return principal;
    },
  };
}

function principalOf(row: typeof apiKeys.$inferSelect): Principal {
  return {
    keyId: row.id,
    tenant: row.tenant,
    permissions: JSON.parse(row.permissions),
    platformIds: row.platformIds === null ? null : JSON.parse(row.platformIds),
    entityIds: row.entityIds === null ? null : JSON.parse(row.entityIds),
    orgIds: row.orgIds === null ? null : JSON.parse(row.orgIds),
  };
}
