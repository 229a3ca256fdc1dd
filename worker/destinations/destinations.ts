/** Upstream accounts: kept by an operator with their secrets sealed, and found for a tenant. */
import type { UpstreamName } from "../../shared/vendors/vendors.ts";
import { type Writer, writeAs } from "../database/key-gate.ts";
import { statement } from "../database/statement.ts";
import type { DestinationRequest } from "./destination-requests.ts";
import type { Sealer } from "./sealing.ts";

/** What may be shown of a destination at any time. */
export interface DestinationRecord {
  readonly name: string;
  readonly dialect: UpstreamName;
  readonly base_url: string;
  readonly ingest_path: string | null;
  readonly token_url: string | null;
  readonly client_id: string | null;
  readonly client_secret_set: boolean;
  readonly api_key_set: boolean;
  readonly max_bytes: number | null;
  readonly max_events: number | null;
  readonly calls_per_minute: number | null;
}

export type PutOutcome =
  | { readonly kind: "put"; readonly record: DestinationRecord }
  /** A secret was sent, and there is no key to seal it with. */
  | { readonly kind: "no-key" }
  /** Its dialect cannot be changed while a tenant's events of the old one go there. */
  | { readonly kind: "used" };

export type DeleteOutcome = "deleted" | "missing" | "used";

export interface DestinationStore {
  /** In order of their names. */
  list(after: string, count: number): Promise<DestinationRecord[]>;
  put(name: string, wanted: DestinationRequest, writer: Writer): Promise<PutOutcome>;
  /** Refused while a tenant's events go there. */
  delete(name: string, writer: Writer): Promise<DeleteOutcome>;
}

/** A row as SQL gives it. */
export interface DestinationRow {
  readonly name: string;
  readonly dialect: UpstreamName;
  readonly base_url: string;
  readonly ingest_path: string | null;
  readonly token_url: string | null;
  readonly client_id: string | null;
  readonly client_secret: string | null;
  readonly api_key: string | null;
  readonly bytes_max: number | null;
  readonly events_max: number | null;
  readonly calls_per_minute: number | null;
  readonly revision: string;
}

export const DESTINATION_COLUMNS =
  "name, dialect, base_url, ingest_path, token_url, client_id, client_secret, api_key, bytes_max, events_max, calls_per_minute, revision";

const LIST = statement<{ after: string; count: number }, DestinationRow>(
  `SELECT ${DESTINATION_COLUMNS} FROM destinations WHERE name > :after ORDER BY name LIMIT :count`,
);
const NAMED = statement<{ name: string }, { readonly name: string }>(
  "SELECT name FROM destinations WHERE name = :name",
);

/** A tenant's events go there, or calls of one that went there before are not settled yet. */
const USED = `(EXISTS (SELECT 1 FROM tenants WHERE zuora = :name OR solvimon = :name)
  OR EXISTS (SELECT 1 FROM shipments WHERE state = 'open' AND destination = :name
    AND (in_flight = 1 OR outcome_unknown = 1)))`;

/** A secret that is not sent stays; another dialect's secrets would be of no use. */
const PUT = statement<DestinationRow, DestinationRow>(`INSERT INTO destinations (${DESTINATION_COLUMNS})
SELECT :name, :dialect, :base_url, :ingest_path, :token_url, :client_id, :client_secret, :api_key, :bytes_max,
  :events_max, :calls_per_minute, :revision
WHERE NOT EXISTS (SELECT 1 FROM destinations WHERE name = :name AND dialect <> :dialect) OR NOT ${USED}
ON CONFLICT (name) DO UPDATE SET dialect = excluded.dialect, base_url = excluded.base_url,
  ingest_path = excluded.ingest_path, token_url = excluded.token_url, client_id = excluded.client_id,
  client_secret = coalesce(excluded.client_secret, CASE WHEN dialect = excluded.dialect THEN client_secret END),
  api_key = coalesce(excluded.api_key, CASE WHEN dialect = excluded.dialect THEN api_key END),
  bytes_max = excluded.bytes_max, events_max = excluded.events_max,
  calls_per_minute = excluded.calls_per_minute, revision = excluded.revision
RETURNING ${DESTINATION_COLUMNS}`);

const DELETE = statement<{ name: string }>(`DELETE FROM destinations WHERE name = :name AND NOT ${USED}`);

export function createDestinationStore(db: D1Database, sealer: Sealer | null): DestinationStore {
  const sealed = async (destination: string, field: "client_secret" | "api_key", secret: string | undefined) =>
    secret === undefined || sealer === null ? null : sealer.seal(secret, { destination, field });
  return {
    async list(after, count) {
      return (await LIST.all(db, { after, count })).map(recordOf);
    },
    async put(name, wanted, writer) {
      if (sealer === null && (wanted.client_secret ?? wanted.api_key) !== undefined) return { kind: "no-key" };
      const row: DestinationRow = {
        name,
        ...rowOf(wanted),
        client_secret: await sealed(name, "client_secret", wanted.client_secret),
        api_key: await sealed(name, "api_key", wanted.api_key),
        revision: crypto.randomUUID(),
      };
      const [result] = await writeAs(db, writer, [PUT.bind(db, { ...row })]);
      const [put] = PUT.rows(result);
      return put === undefined ? { kind: "used" } : { kind: "put", record: recordOf(put) };
    },
    async delete(name, writer) {
      const statements = [NAMED.bind(db, { name }), DELETE.bind(db, { name })];
      const [known, result] = await writeAs(db, writer, statements);
      if (NAMED.rows(known).length === 0) return "missing";
      return result?.meta.changes === 1 ? "deleted" : "used";
    },
  };
}

function rowOf(wanted: DestinationRequest) {
  return {
    dialect: wanted.dialect,
    base_url: wanted.base_url.replace(/\/+$/, ""),
    ingest_path: wanted.ingest_path ?? null,
    token_url: wanted.token_url ?? null,
    client_id: wanted.client_id ?? null,
    bytes_max: wanted.max_bytes ?? null,
    events_max: wanted.max_events ?? null,
    calls_per_minute: wanted.calls_per_minute ?? null,
  };
}

function recordOf(row: DestinationRow): DestinationRecord {
  return {
    name: row.name,
    dialect: row.dialect,
    base_url: row.base_url,
    ingest_path: row.ingest_path,
    token_url: row.token_url,
    client_id: row.client_id,
    client_secret_set: row.client_secret !== null,
    api_key_set: row.api_key !== null,
    max_bytes: row.bytes_max,
    max_events: row.events_max,
    calls_per_minute: row.calls_per_minute,
  };
}
