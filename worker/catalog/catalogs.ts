/** Tenants' catalogs in D1, remembered for a few seconds by each instance. */
import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { compileCheck, type EventCheck, type StreamSchema } from "../../shared/events/stream-schema.ts";
import { type Writer, writeAs } from "../database/key-gate.ts";
import { catalogs } from "../database/schema.ts";
import { statement } from "../database/statement.ts";
import { Remembered } from "../remembered.ts";
import { type CatalogReferences, referencesOf } from "./references.ts";
import { type Catalog, catalogSchema } from "./schema/document.ts";

/** How long an instance believes a catalog without asking again. Writes are checked in their transaction. */
export const CATALOG_TTL_MS = 5_000;
const CATALOGS_REMEMBERED_MAX = 200;

export interface StreamEntry {
  readonly schema: StreamSchema;
  readonly check: EventCheck;
}

export interface LoadedCatalog {
  /** 0 for a tenant that never had one. */
  readonly version: number;
  readonly document: Catalog;
  /** By meter_global_id. */
  readonly streams: ReadonlyMap<string, StreamEntry>;
  /** What Solvimon events may name; null where they are not held against the catalog. */
  readonly references: CatalogReferences | null;
}

export interface Catalogs {
  /** @param fresh true: ask D1 even if one is remembered. */
  load(tenant: string, nowMs: number, fresh?: boolean): Promise<LoadedCatalog>;
  /**
   * Replaces the whole document.
   * @param versions one of which it must have for that; null for any.
   * @returns its new version; null where it has none of them, and stands.
   * @throws KeyEndedError where the writer's key has ended.
   */
  replace(
    tenant: string,
    document: Catalog,
    versions: readonly number[] | null,
    writer: Writer,
  ): Promise<number | null>;
}

/** Compared and written by one statement: of two who read the same version only one replaces it. */
const REPLACE = statement<
  { tenant: string; document: string; versions: string | null },
  { readonly version: number }
>(`INSERT INTO catalogs (tenant, version, document)
SELECT :tenant, 1, :document WHERE :versions IS NULL OR coalesce((SELECT version FROM catalogs WHERE tenant = :tenant), 0)
  IN (SELECT value FROM json_each(:versions))
ON CONFLICT (tenant) DO UPDATE SET version = version + 1, document = excluded.document RETURNING version`);

export function createCatalogs(db: D1Database): Catalogs {
  const remembered = new Remembered<LoadedCatalog>(CATALOGS_REMEMBERED_MAX);
  return {
    async load(tenant, nowMs, fresh = false) {
      const believed = fresh ? undefined : remembered.get(tenant, nowMs);
      if (believed !== undefined) return believed;
      const row = await drizzle(db).select().from(catalogs).where(eq(catalogs.tenant, tenant)).get();
      const known = remembered.last(tenant);
      const catalog = known !== undefined && known.version === (row?.version ?? 0) ? known : loadedOf(row);
      remembered.set(tenant, catalog, nowMs + CATALOG_TTL_MS);
      return catalog;
    },
    async replace(tenant, document, versions, writer) {
      const wanted = versions === null ? null : JSON.stringify(versions);
      const replace = REPLACE.bind(db, { tenant, document: JSON.stringify(document), versions: wanted });
      const [result] = await writeAs(db, writer, [replace]);
      remembered.delete(tenant);
      return REPLACE.rows(result)[0]?.version ?? null;
    },
  };
}

function loadedOf(row: typeof catalogs.$inferSelect | undefined): LoadedCatalog {
  const document = catalogSchema.parse(row === undefined ? {} : JSON.parse(row.document));
  const streams = new Map(
    document.streams.map((schema) => [schema.meter_global_id, { schema, check: compileCheck(schema) }]),
  );
  return { version: row?.version ?? 0, document, streams, references: referencesOf(document) };
}
