/** Where a tenant's events of a dialect go: to the destination an operator named for it, else to that of the settings. */
import type { UpstreamName } from "../../shared/vendors/vendors.ts";
import { statement } from "../database/statement.ts";
import type { Settings, UpstreamSettings } from "../env.ts";
import { logFailure } from "../log.ts";
import { Remembered } from "../remembered.ts";
import { DEFAULT_DESTINATION } from "./destination-requests.ts";
import { DESTINATION_COLUMNS, type DestinationRow } from "./destinations.ts";
import { KEY_ADVICE, type Sealer } from "./sealing.ts";

/** How long an instance believes where a tenant's events go. */
export const DESTINATION_TTL_MS = 5_000;
const DESTINATIONS_REMEMBERED_MAX = 1_000;

export interface Destination {
  readonly name: string;
  /** Names this very state of it: tokens of another one are not used. */
  readonly revision: string;
  readonly settings: UpstreamSettings & { readonly baseUrl: string };
}

export interface Directory {
  /** Null where there is none, or its secret does not open: events stay pending. */
  destinationOf(
    tenant: string,
    dialect: UpstreamName,
    nowMs: number,
    through?: D1Database,
  ): Promise<Destination | null>;
  /** By its name, whosever it is. */
  named(name: string, dialect: UpstreamName, nowMs: number, through?: D1Database): Promise<Destination | null>;
  /** Drops what this instance remembers: what was changed through it is in force at once. */
  forget(): void;
}

const OF_TENANT = statement<{ tenant: string; dialect: string }, DestinationRow>(`SELECT ${DESTINATION_COLUMNS}
FROM destinations WHERE dialect = :dialect AND name =
  (SELECT CASE :dialect WHEN 'zuora' THEN zuora WHEN 'solvimon' THEN solvimon END FROM tenants WHERE id = :tenant)`);

const BY_NAME = statement<{ name: string; dialect: string }, DestinationRow>(
  `SELECT ${DESTINATION_COLUMNS} FROM destinations WHERE name = :name AND dialect = :dialect`,
);

export function createDirectory(db: D1Database, settings: Settings, sealer: Sealer | null): Directory {
  const remembered = new Remembered<Destination | null>(DESTINATIONS_REMEMBERED_MAX);

  function ofSettings(dialect: UpstreamName): Destination | null {
    const { baseUrl, ...rest } = settings.upstreams[dialect];
    return baseUrl === null ? null : { name: DEFAULT_DESTINATION, revision: "", settings: { ...rest, baseUrl } };
  }

  async function recall(key: string, nowMs: number, find: () => Promise<Destination | null>) {
    const known = remembered.get(key, nowMs);
    if (known !== undefined) return known;
    const found = await find();
    remembered.set(key, found, nowMs + DESTINATION_TTL_MS);
    return found;
  }

  return {
    destinationOf: (tenant, dialect, nowMs, through = db) =>
      recall(JSON.stringify(["tenant", tenant, dialect]), nowMs, async () => {
        const row = await OF_TENANT.first(through, { tenant, dialect });
        return row === null ? ofSettings(dialect) : opened(row, sealer);
      }),
    named: (name, dialect, nowMs, through = db) =>
      recall(JSON.stringify(["name", name, dialect]), nowMs, async () => {
        if (name === DEFAULT_DESTINATION) return ofSettings(dialect);
        const row = await BY_NAME.first(through, { name, dialect });
        return row === null ? null : opened(row, sealer);
      }),
    forget: () => remembered.clear(),
  };
}

async function opened(row: DestinationRow, sealer: Sealer | null): Promise<Destination | null> {
  const open = async (field: "client_secret" | "api_key") => {
    const sealed = row[field];
    return sealed === null ? "" : ((await sealer?.open(sealed, { destination: row.name, field })) ?? null);
  };
  const clientSecret = await open("client_secret");
  const apiKey = await open("api_key");
  if (clientSecret === null || apiKey === null) {
    const cause = sealer === null ? KEY_ADVICE : "it was sealed under another DESTINATION_KEY: put it again";
    logFailure("a destination's secret does not open; its events wait", cause, { destination: row.name });
    return null;
  }
  return {
    name: row.name,
    revision: row.revision,
    settings: {
      baseUrl: row.base_url,
      ingestPath: row.ingest_path,
      tokenUrl: row.token_url,
      clientId: row.client_id ?? "",
      clientSecret,
      apiKey,
      bytesMax: row.bytes_max,
      eventsMax: row.events_max,
      callsPerMinute: row.calls_per_minute,
    },
  };
}
