/** API keys as their admin handles them: made, listed, revoked, rotated. A key is shown once and kept as a hash. */
import { and, eq, gt } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { randomText } from "../../shared/random-text.ts";
import { type Writer, writeAs } from "../database/key-gate.ts";
import { apiKeys } from "../database/schema.ts";
import { statement } from "../database/statement.ts";
import { hashApiKey } from "./key-hash.ts";
import { createKeyText } from "./key-text.ts";
import type { KeyReach } from "./principal.ts";

export interface NewKey extends KeyReach {
  readonly name: string;
  readonly permissions: readonly string[];
}

/** What may be shown of a key at any time. */
export interface KeyRecord extends NewKey {
  readonly id: string;
  readonly tenant: string;
  /** The first of the keys that it was rotated from; itself for any other. */
  readonly lineage: string;
  readonly createdAt: number;
  readonly revokedAt: number | null;
}

export interface KeyStore {
  /** @returns the record and, this once, the key. @throws KeyEndedError as every write here. */
  create(tenant: string, key: NewKey, writer: Writer): Promise<KeyRecord & { readonly key: string }>;
  /** In order of their ids. */
  list(tenant: string, after: string, count: number): Promise<KeyRecord[]>;
  find(tenant: string, id: string): Promise<KeyRecord | null>;
  /** A second revocation changes nothing. */
  revoke(tenant: string, id: string, writer: Writer): Promise<void>;
  /** Makes a key like another one, which ends at a time unless it ends before. */
  rotate(old: KeyRecord, endsAt: number, writer: Writer): Promise<KeyRecord & { readonly key: string }>;
}

interface KeyColumns {
  readonly id: string;
  readonly hash: string;
  readonly tenant: string;
  readonly name: string;
  readonly permissions: string;
  readonly platformIds: string | null;
  readonly entityIds: string | null;
  readonly orgIds: string | null;
  readonly producers: string | null;
  readonly origins: string | null;
  readonly lineage: string;
  readonly createdAt: number;
  readonly expiresAt: number | null;
}

const INSERT = statement<KeyColumns>(`INSERT INTO api_keys
  (id, hash, tenant, name, permissions, platform_ids, entity_ids, org_ids, producers, origins, lineage,
    created_at, expires_at)
VALUES (:id, :hash, :tenant, :name, :permissions, :platformIds, :entityIds, :orgIds, :producers, :origins, :lineage, :createdAt, :expiresAt)`);

const REVOKE = statement<{ tenant: string; id: string; now: number }>(
  "UPDATE api_keys SET revoked_at = coalesce(revoked_at, :now) WHERE tenant = :tenant AND id = :id",
);

const END = statement<{ tenant: string; id: string; at: number }>(
  "UPDATE api_keys SET expires_at = min(coalesce(expires_at, :at), :at) WHERE tenant = :tenant AND id = :id",
);

export function createKeyStore(db: D1Database): KeyStore {
  const orm = drizzle(db);
  const one = (tenant: string, id: string) => and(eq(apiKeys.tenant, tenant), eq(apiKeys.id, id));
  return {
    async create(tenant, wanted, writer) {
      const made = madeKey(tenant, wanted, null, writer.now);
      await writeAs(db, writer, [INSERT.bind(db, columnsOf(made))]);
      return made;
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
    async revoke(tenant, id, writer) {
      await writeAs(db, writer, [REVOKE.bind(db, { tenant, id, now: writer.now })]);
    },
    async rotate(old, endsAt, writer) {
      const { tenant, id } = old;
      const made = madeKey(tenant, old, old.lineage, writer.now);
      await writeAs(db, writer, [INSERT.bind(db, columnsOf(made)), END.bind(db, { tenant, id, at: endsAt })]);
      return made;
    },
  };
}

/** @param lineage of the key that it takes the place of; null where it is the first of its own. */
function madeKey(
  tenant: string,
  wanted: NewKey,
  lineage: string | null,
  now: number,
): KeyRecord & { readonly key: string } {
  const { name, permissions, platformIds, entityIds, orgIds, producers, origins, expiresAt } = wanted;
  const id = `key_${randomText(20)}`;
  return {
    ...{ name, permissions, platformIds, entityIds, orgIds, producers, origins, expiresAt },
    id,
    lineage: lineage ?? id,
    key: createKeyText(),
    tenant,
    createdAt: now,
    revokedAt: null,
  };
}

function columnsOf({ key, ...record }: KeyRecord & { readonly key: string }): KeyColumns {
  return {
    id: record.id,
    hash: hashApiKey(key),
    tenant: record.tenant,
    name: record.name,
    permissions: JSON.stringify(record.permissions),
    platformIds: listText(record.platformIds),
    entityIds: listText(record.entityIds),
    orgIds: listText(record.orgIds),
    producers: listText(record.producers),
    origins: listText(record.origins),
    lineage: record.lineage,
    createdAt: record.createdAt,
    expiresAt: record.expiresAt,
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
    producers: list(row.producers),
    origins: list(row.origins),
    lineage: row.lineage ?? row.id,
    createdAt: row.createdAt,
    expiresAt: row.expiresAt,
    revokedAt: row.revokedAt,
  };
}

function listText(ids: readonly string[] | null): string | null {
  return ids === null ? null : JSON.stringify(ids);
}
