/** Tenants as an operator handles them: where their events go, and what they may name. */
import { UPSTREAM_NAMES, type UpstreamName } from "../../shared/vendors/vendors.ts";
import { type Writer, writeAs } from "../database/key-gate.ts";
import { statement } from "../database/statement.ts";
import { type Bounds, boundsOf, boundsText } from "./bounds.ts";

export interface Tenant {
  readonly id: string;
  readonly name: string | null;
  /** Names of destinations; null: the one that the settings describe. */
  readonly destinations: Readonly<Record<UpstreamName, string | null>>;
  readonly allowed: Bounds;
}

export type PutTenantOutcome =
  | { readonly kind: "put" }
  /** Destinations that it names are not there, or of another dialect. */
  | { readonly kind: "unknown-destination"; readonly dialects: readonly UpstreamName[] };

export interface Tenants {
  /** Those of which something is said and those that have a key, in order of their ids. */
  list(after: string, count: number): Promise<Tenant[]>;
  /** Null for one that neither has a key nor was ever put. */
  find(id: string): Promise<Tenant | null>;
  put(tenant: Tenant, writer: Writer): Promise<PutTenantOutcome>;
}

interface TenantRow {
  readonly id: string;
  readonly name: string | null;
  readonly zuora: string | null;
  readonly solvimon: string | null;
  readonly allowed: string | null;
}

const KNOWN = `SELECT known.id, name, zuora, solvimon, allowed FROM
  (SELECT tenant AS id FROM api_keys UNION SELECT id FROM tenants) AS known
  LEFT JOIN tenants ON tenants.id = known.id`;

const LIST = statement<{ after: string; count: number }, TenantRow>(
  `${KNOWN} WHERE known.id > :after ORDER BY known.id LIMIT :count`,
);

const FIND = statement<{ id: string }, TenantRow>(`SELECT known.id, name, zuora, solvimon, allowed FROM
  (SELECT :id AS id WHERE EXISTS (SELECT 1 FROM api_keys WHERE tenant = :id)
    OR EXISTS (SELECT 1 FROM tenants WHERE id = :id)) AS known
  LEFT JOIN tenants ON tenants.id = known.id`);

const isThere = (dialect: UpstreamName): string =>
  `(:${dialect} IS NULL OR EXISTS (SELECT 1 FROM destinations WHERE name = :${dialect} AND dialect = '${dialect}'))`;

interface Standing {
  readonly zuora: 0 | 1;
  readonly solvimon: 0 | 1;
}

const STANDING = statement<{ zuora: string | null; solvimon: string | null }, Standing>(
  `SELECT ${isThere("zuora")} AS zuora, ${isThere("solvimon")} AS solvimon`,
);

/** Looks for the destinations as it writes: one that is deleted at that moment is either found gone, or kept. */
const PUT = statement<TenantRow>(`INSERT INTO tenants (id, name, zuora, solvimon, allowed)
SELECT :id, :name, :zuora, :solvimon, :allowed WHERE ${isThere("zuora")} AND ${isThere("solvimon")}
ON CONFLICT (id) DO UPDATE SET name = excluded.name, zuora = excluded.zuora, solvimon = excluded.solvimon,
  allowed = excluded.allowed`);

export function createTenants(db: D1Database): Tenants {
  return {
    async list(after, count) {
      return (await LIST.all(db, { after, count })).map(tenantOf);
    },
    async find(id) {
      const row = await FIND.first(db, { id });
      return row === null ? null : tenantOf(row);
    },
    async put({ id, name, destinations: { zuora, solvimon }, allowed }, writer) {
      const put = PUT.bind(db, { id, name, zuora, solvimon, allowed: boundsText(allowed) });
      const [standing] = await writeAs(db, writer, [STANDING.bind(db, { zuora, solvimon }), put]);
      const [there] = STANDING.rows(standing);
      const dialects = UPSTREAM_NAMES.filter((dialect) => there?.[dialect] !== 1);
      return dialects.length === 0 ? { kind: "put" } : { kind: "unknown-destination", dialects };
    },
  };
}

function tenantOf({ id, name, zuora, solvimon, allowed }: TenantRow): Tenant {
  return { id, name, destinations: { zuora, solvimon }, allowed: boundsOf(allowed) };
}
