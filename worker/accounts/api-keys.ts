/** Finds the principal behind a credential. Keys are kept by their SHA-256 only. */
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { apiKeys } from "../database/schema.ts";
import { Remembered } from "../remembered.ts";
import { isGenuine, issueToken, readToken, TOKEN_SECONDS } from "./access-token.ts";
import { hashApiKey } from "./key-hash.ts";
import type { Principal } from "./principal.ts";

/** How long an instance believes a credential without asking again. Writes are checked anew in their transaction. */
export const KEY_TTL_MS = 5_000;
/** Credentials remembered in one instance; the oldest goes first. */
const KEYS_REMEMBERED_MAX = 1_000;

export interface KeyRing {
  /** @param credential an API key or an access token. Null where it is unknown, revoked or expired. */
  find(credential: string, nowMs: number): Promise<Principal | null>;
  /** A token for a key's id and the key itself; null where the two do not belong together. */
  exchange(keyId: string, key: string, nowMs: number): Promise<string | null>;
}

type KeyRow = typeof apiKeys.$inferSelect;

/** Keys read from D1 and remembered for a few seconds; unknown ones are not, so that a new key works at once. */
export function createKeyRing(db: D1Database): KeyRing {
  const remembered = new Remembered<Principal>(KEYS_REMEMBERED_MAX);
  const byHash = (hash: string) => drizzle(db).select().from(apiKeys).where(eq(apiKeys.hash, hash)).get();
  const byId = (id: string) => drizzle(db).select().from(apiKeys).where(eq(apiKeys.id, id)).get();

  return {
    async find(credential, nowMs) {
      const hash = hashApiKey(credential);
      const known = remembered.get(hash, nowMs);
      if (known !== undefined) return known;
      const claims = readToken(credential);
      const row = claims === null ? await byHash(hash) : await byId(claims.keyId);
      if (row === undefined || !isValid(row, nowMs)) return null;
      if (claims !== null && !isGenuine(credential, claims, row.hash, nowMs)) return null;
      const principal = principalOf(row);
      const ends = [nowMs + KEY_TTL_MS, row.expiresAt, claims?.endsAt].filter((end) => typeof end === "number");
      remembered.set(hash, principal, Math.min(...ends));
      return principal;
    },
    async exchange(keyId, key, nowMs) {
      const row = await byHash(hashApiKey(key));
      if (row === undefined || row.id !== keyId || !isValid(row, nowMs)) return null;
      return issueToken({ keyId, endsAt: nowMs + TOKEN_SECONDS * 1000 }, row.hash);
    },
  };
}

function isValid(row: KeyRow, nowMs: number): boolean {
  return row.revokedAt === null && (row.expiresAt === null || nowMs < row.expiresAt);
}

function principalOf(row: KeyRow): Principal {
  return {
    keyId: row.id,
    tenant: row.tenant,
    permissions: JSON.parse(row.permissions),
    platformIds: row.platformIds === null ? null : JSON.parse(row.platformIds),
    entityIds: row.entityIds === null ? null : JSON.parse(row.entityIds),
    orgIds: row.orgIds === null ? null : JSON.parse(row.orgIds),
  };
}
