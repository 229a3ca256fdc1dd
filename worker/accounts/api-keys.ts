/** Finds the principal behind a credential. Keys are kept by their SHA-256 only. */
import { eq, type SQL } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { apiKeys, tenants } from "../database/schema.ts";
import { Remembered } from "../remembered.ts";
import { boundsOf, narrowed } from "../tenants/bounds.ts";
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
  /** A token for a key's id and the key itself, one of some texts; null where they do not belong together. One look. */
  exchange(keyId: string, keys: readonly string[], nowMs: number): Promise<string | null>;
  /** Drops what this instance remembers: what was changed through it is in force at once. */
  forget(): void;
}

/** A key, and what its tenant may name as the tenant's row has it. */
interface KeyRow {
  readonly key: typeof apiKeys.$inferSelect;
  readonly allowed: string | null;
}

/** Keys read from D1 and remembered for a few seconds; unknown ones are not, so that a new key works at once. */
export function createKeyRing(db: D1Database): KeyRing {
  const remembered = new Remembered<Principal>(KEYS_REMEMBERED_MAX);
  const oneWhere = (condition: SQL): Promise<KeyRow | undefined> =>
    drizzle(db)
      .select({ key: apiKeys, allowed: tenants.allowed })
      .from(apiKeys)
      .leftJoin(tenants, eq(tenants.id, apiKeys.tenant))
      .where(condition)
      .get();
  const byHash = (hash: string) => oneWhere(eq(apiKeys.hash, hash));
  const byId = (id: string) => oneWhere(eq(apiKeys.id, id));

  return {
    async find(credential, nowMs) {
      const hash = hashApiKey(credential);
      const known = remembered.get(hash, nowMs);
      if (known !== undefined) return known;
      const claims = readToken(credential);
      const row = claims === null ? await byHash(hash) : await byId(claims.keyId);
      if (row === undefined || !isValid(row, nowMs)) return null;
      if (claims !== null && !isGenuine(credential, claims, row.key.hash, nowMs)) return null;
      const principal = principalOf(row);
      const ends = [nowMs + KEY_TTL_MS, row.key.expiresAt, claims?.endsAt].filter((end) => typeof end === "number");
      remembered.set(hash, principal, Math.min(...ends));
      return principal;
    },
    async exchange(keyId, keys, nowMs) {
      const hashes = keys.map(hashApiKey);
      const row = await byId(keyId);
      if (row === undefined || !hashes.includes(row.key.hash) || !isValid(row, nowMs)) return null;
      return issueToken({ keyId, endsAt: nowMs + TOKEN_SECONDS * 1000 }, row.key.hash);
    },
    forget: () => remembered.clear(),
  };
}

function isValid({ key: { revokedAt, expiresAt } }: KeyRow, nowMs: number): boolean {
  return revokedAt === null && (expiresAt === null || nowMs < expiresAt);
}

function principalOf({ key, allowed }: KeyRow): Principal {
  const bounds = boundsOf(allowed);
  const within = (list: string | null, bound: readonly string[] | null) =>
    narrowed(list === null ? null : JSON.parse(list), bound);
  return {
    keyId: key.id,
    tenant: key.tenant,
    permissions: JSON.parse(key.permissions),
    platformIds: within(key.platformIds, bounds.platformIds),
    entityIds: within(key.entityIds, bounds.entityIds),
    orgIds: within(key.orgIds, bounds.orgIds),
    expiresAt: key.expiresAt,
    bounds,
  };
}
