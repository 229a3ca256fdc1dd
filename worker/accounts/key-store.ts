/** API keys as their admin handles them: made, listed, revoked, rotated. A key is shown once and kept as a hash. */
import { and, eq, gt, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { randomText } from "../../shared/random-text.ts";
import { apiKeys } from "../database/schema.ts";
import { hashApiKey } from "./key-hash.ts";

export interface NewKey {
  readonly name: string;
  readonly permissions: readonly string[];
  readonly platformIds: readonly string[] | null;
  readonly entityIds: readonly string[] | null;
  readonly orgIds: readonly string[] | null;
  readonly expiresAt: number | null;
}

/** What may be shown of a key at any time. */
export interface KeyRecord extends NewKey {
  readonly id: string;
  readonly tenant: string;
  readonly createdAt: number;
  readonly revokedAt: number | null;
}

export interface KeyStore {
  /** @returns the record and, this once, the key. */
  create(tenant: string, key: NewKey, now: number): Promise<KeyRecord & { readonly key: string }>;
  /** In order of their ids. */
  list(tenant: string, after: string, count: number): Promise<KeyRecord[]>;
  find(tenant: string, id: string): Promise<KeyRecord | null>;
  /** Whether any key, be it revoked, was ever made for the tenant: the first one makes it. */
  hasTenant(tenant: string): Promise<boolean>;
  /** False where there is no such key of the tenant; a second revocation changes nothing. */
  revoke(tenant: string, id: string, now: number): Promise<boolean>;
  /** Ends a key at a time, unless it ends before. */
  endAt(tenant: string, id: string, at: number): Promise<void>;
}

export function createKeyStore(db: D1Database): KeyStore {
  const orm = drizzle(db);
  const one = (tenant: string, id: string) => and(eq(apiKeys.tenant, tenant), eq(apiKeys.id, id));
  return {
    async create(tenant, wanted, now) {
      const key = `weir_key_${randomText(32)}`;
      const record: KeyRecord = { ...wanted, id: `key_${randomText(20)}`, tenant, createdAt: now, revokedAt: null };
      await orm.insert(apiKeys).values({
        id: record.id,
        hash: hashApiKey(key),
        tenant,
        name: record.name,
        permissions: JSON.stringify(record.permissions),
        platformIds: listText(record.platformIds),
        entityIds: listText(record.entityIds),
        orgIds: listText(record.orgIds),
        createdAt: now,
        expiresAt: record.expiresAt,
      });
      return { ...record, key };
    },
    async list(tenant, after, count) {
      const rows = await orm
        .select()
        .from(apiKeys)
        .where(and(eq(apiKeys.tenant, tenant), gt(apiKeys.id, after)))
        .orderBy(apiKeys.id)
        .limit(count);
      return rows.map(recordOf);
    },
    async find(tenant, id) {
      const row = await orm.select().from(apiKeys).where(one(tenant, id)).get();
      return row === undefined ? null : recordOf(row);
    },
    async hasTenant(tenant) {
      const row = await orm.select({ id: apiKeys.id }).from(apiKeys).where(eq(apiKeys.tenant, tenant)).limit(1).get();
      return row !== undefined;
    },
    async revoke(tenant, id, now) {
      const rows = await orm
        .update(apiKeys)
        .set({ revokedAt: sql`coalesce(${apiKeys.revokedAt}, ${now})` })
        .where(one(tenant, id))
        .returning({ id: apiKeys.id });
      return rows.length > 0;
    },
    async endAt(tenant, id, at) {
      await orm
        .update(apiKeys)
        .set({ expiresAt: sql`min(coalesce(${apiKeys.expiresAt}, ${at}), ${at})` })
        .where(one(tenant, id));
    },
  };
}

function recordOf(row: typeof apiKeys.$inferSelect): KeyRecord {
  const list = (text: string | null): string[] | null => (text === null ? null : JSON.parse(text));
  return {
    id: row.id,
    tenant: row.tenant,
    name: row.name,
    permissions: JSON.parse(row.permissions),
    platformIds: list(row.platformIds),
    entityIds: list(row.entityIds),
    orgIds: list(row.orgIds),
    createdAt: row.createdAt,
    expiresAt: row.expiresAt,
    revokedAt: row.revokedAt,
  };
}

function listText(ids: readonly string[] | null): string | null {
  return ids === null ? null : JSON.stringify(ids);
}
