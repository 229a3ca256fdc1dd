/** Finds the principal behind a credential. Keys are kept by their SHA-256 only. */
import { eq, type SQL } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { apiKeys, tenants } from "../database/schema.ts";
import { Remembered } from "../remembered.ts";
import { boundsOf, narrowed, standInOf } from "../tenants/bounds.ts";
import { readToken, type TokenSigner } from "./access-token.ts";
import { hashApiKey } from "./key-hash.ts";
import { mayBeKey } from "./key-text.ts";
import type { Principal } from "./principal.ts";

/** How long an instance believes a credential without asking again. Writes are checked anew in their transaction. */
export const KEY_TTL_MS = 5_000;
/** Credentials remembered in one instance; the oldest goes first. */
const KEYS_REMEMBERED_MAX = 1_000;
/** The same of those that nobody has, apart from the others: made up at random they push out each other alone. */
const UNKNOWN_REMEMBERED_MAX = 1_000;

export type ExchangeOutcome =
  | { readonly kind: "token"; readonly token: string }
  /** The two do not belong together, or the key has ended. */
  | { readonly kind: "unknown" }
  /** The Worker has no secret to sign with. */
  | { readonly kind: "no-secret" };

export interface KeyRing {
  /** @param credential an API key or an access token. Null where it is unknown, revoked or expired. */
  find(credential: string, nowMs: number): Promise<Principal | null>;
  /** Whether it was found here before, and not lately missed; a token, whether it is genuine. Nothing is asked. */
  wasKnown(credential: string, nowMs: number): boolean;
  /** A token for a key's id and the key itself, one of some texts. One look at the database. */
  exchange(keyId: string, keys: readonly string[], nowMs: number): Promise<ExchangeOutcome>;
  /** Drops what this instance remembers: what was changed through it is in force at once. */
  forget(): void;
}

/** A key, and what its tenant may name as the tenant's row has it. */
interface KeyRow {
  readonly key: typeof apiKeys.$inferSelect;
  readonly allowed: string | null;
}

/**
 * Keys read from D1 and remembered for a few seconds, unknown ones too: a new key is tried by nobody before it is made.
 * @param signer null where the Worker has no secret for tokens: none is issued and none accepted.
 */
export function createKeyRing(db: D1Database, signer: TokenSigner | null): KeyRing {
  const remembered = new Remembered<Principal>(KEYS_REMEMBERED_MAX);
  const unknown = new Remembered<true>(UNKNOWN_REMEMBERED_MAX);
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
      if (!mayBeKey(credential)) return null;
      const hash = hashApiKey(credential);
      const known = remembered.get(hash, nowMs);
      if (known !== undefined) return known;
      if (unknown.get(hash, nowMs) === true) return null;
      const claims = readToken(credential);
      // Before the ledger is asked: a token that nobody issued costs no read.
      if (claims !== null && signer?.isGenuine(credential, claims, nowMs) !== true) return null;
      const row = claims === null ? await byHash(hash) : await byId(claims.keyId);
      if (row === undefined || !isValid(row, nowMs)) {
        unknown.set(hash, true, nowMs + KEY_TTL_MS);
        return null;
      }
      const principal = principalOf(row);
      const ends = [nowMs + KEY_TTL_MS, row.key.expiresAt, claims?.endsAt].filter((end) => typeof end === "number");
      remembered.set(hash, principal, Math.min(...ends));
      return principal;
    },
    async exchange(keyId, keys, nowMs) {
      if (signer === null) return { kind: "no-secret" };
      const hashes = keys.filter(mayBeKey).map(hashApiKey);
      if (hashes.length === 0) return { kind: "unknown" };
      const row = await byId(keyId);
      if (row === undefined || !hashes.includes(row.key.hash) || !isValid(row, nowMs)) return { kind: "unknown" };
      return { kind: "token", token: signer.issue(keyId, nowMs) };
    },
    wasKnown(credential, nowMs) {
      const claims = readToken(credential);
      if (claims !== null) return signer?.isGenuine(credential, claims, nowMs) === true;
      return remembered.last(hashApiKey(credential)) !== undefined;
    },
    forget() {
      remembered.clear();
      unknown.clear();
    },
  };
}

function isValid({ key: { revokedAt, expiresAt } }: KeyRow, nowMs: number): boolean {
  return revokedAt === null && (expiresAt === null || nowMs < expiresAt);
}

function principalOf({ key, allowed }: KeyRow): Principal {
  const bounds = boundsOf(allowed);
  const listed = (text: string | null): string[] | null => (text === null ? null : JSON.parse(text));
  const lists = {
    platformIds: listed(key.platformIds),
    entityIds: listed(key.entityIds),
    orgIds: listed(key.orgIds),
  };
  return {
    keyId: key.id,
    lineage: key.lineage ?? key.id,
    producers: listed(key.producers),
    origins: listed(key.origins),
    tenant: key.tenant,
    permissions: JSON.parse(key.permissions),
    platformIds: narrowed(lists.platformIds, bounds.platformIds),
    entityIds: narrowed(lists.entityIds, bounds.entityIds),
    orgIds: narrowed(lists.orgIds, bounds.orgIds),
    expiresAt: key.expiresAt,
    bounds,
    standIn: standInOf(lists, bounds),
  };
}
