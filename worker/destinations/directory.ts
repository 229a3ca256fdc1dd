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

/** Where a tenant's events of a dialect go. */
export type Whereabouts =
  | { readonly kind: "open"; readonly destination: Destination }
  /** It is named, and its secret does not open: events stay pending. */
  | { readonly kind: "sealed"; readonly name: string }
  /** The settings have no base URL. */
  | { readonly kind: "none" };

export interface ListedDestination {
  readonly name: string;
  readonly dialect: UpstreamName;
  /** Whether its secret opens. */
  readonly opens: boolean;
}

export interface Directory {
  whereabouts(tenant: string, dialect: UpstreamName, nowMs: number, through?: D1Database): Promise<Whereabouts>;
  /** Null where there is none, or its secret does not open: events stay pending. */
  destinationOf(
    tenant: string,
    dialect: UpstreamName,
    nowMs: number,
    through?: D1Database,
  ): Promise<Destination | null>;
  /** By its name, whosever it is. */
  named(name: string, dialect: UpstreamName, nowMs: number, through?: D1Database): Promise<Destination | null>;
  /** The named ones after a name, in order of their names. */
  listed(after: string, count: number): Promise<ListedDestination[]>;
  /** Drops what this instance remembers: what was changed through it is in force at once. */
  forget(): void;
}

const OF_TENANT = statement<{ tenant: string; dialect: string }, DestinationRow>(`SELECT ${DESTINATION_COLUMNS}
FROM destinations WHERE dialect = :dialect AND name =
  (SELECT CASE :dialect WHEN 'zuora' THEN zuora WHEN 'solvimon' THEN solvimon END FROM tenants WHERE id = :tenant)`);

const BY_NAME = statement<{ name: string; dialect: string }, DestinationRow>(
  `SELECT ${DESTINATION_COLUMNS} FROM destinations WHERE name = :name AND dialect = :dialect`,
);

const LISTED = statement<{ after: string; count: number }, DestinationRow>(
  `SELECT ${DESTINATION_COLUMNS} FROM destinations WHERE name > :after ORDER BY name LIMIT :count`,
);

export function createDirectory(db: D1Database, settings: Settings, sealer: Sealer | null): Directory {
  const remembered = new Remembered<Whereabouts>(DESTINATIONS_REMEMBERED_MAX);
  // By revision: whether a secret opens does not change while neither it nor the key does.
  const openings = new Remembered<boolean>(DESTINATIONS_REMEMBERED_MAX);

  function ofSettings(dialect: UpstreamName): Whereabouts {
    const { baseUrl, ...rest } = settings.upstreams[dialect];
    if (baseUrl === null) return { kind: "none" };
    const destination = { name: DEFAULT_DESTINATION, revision: "", settings: { ...rest, baseUrl } };
    return { kind: "open", destination };
  }

  async function recall(key: string, nowMs: number, find: () => Promise<Whereabouts>) {
    const known = remembered.get(key, nowMs);
    if (known !== undefined) return known;
    const found = await find();
    remembered.set(key, found, nowMs + DESTINATION_TTL_MS);
    return found;
  }

  const whereabouts: Directory["whereabouts"] = (tenant, dialect, nowMs, through = db) =>
    recall(JSON.stringify(["tenant", tenant, dialect]), nowMs, async () => {
      const row = await OF_TENANT.first(through, { tenant, dialect });
      return row === null ? ofSettings(dialect) : logged(await opened(row, sealer), sealer);
    });

  async function opens(row: DestinationRow): Promise<boolean> {
    const known = openings.last(row.revision);
    if (known !== undefined) return known;
    const found = (await opened(row, sealer)).kind === "open";
    openings.set(row.revision, found, Number.POSITIVE_INFINITY);
    return found;
  }

  return {
    whereabouts,
    destinationOf: async (tenant, dialect, nowMs, through) =>
      destinationIn(await whereabouts(tenant, dialect, nowMs, through)),
    named: async (name, dialect, nowMs, through = db) =>
      destinationIn(
        await recall(JSON.stringify(["name", name, dialect]), nowMs, async () => {
          if (name === DEFAULT_DESTINATION) return ofSettings(dialect);
          const row = await BY_NAME.first(through, { name, dialect });
          return row === null ? { kind: "none" } : logged(await opened(row, sealer), sealer);
        }),
      ),
    async listed(after, count) {
      const rows = await LISTED.all(db, { after, count });
      return Promise.all(rows.map(async (row) => ({ name: row.name, dialect: row.dialect, opens: await opens(row) })));
    },
    forget: () => remembered.clear(),
  };
}

function destinationIn(found: Whereabouts): Destination | null {
  return found.kind === "open" ? found.destination : null;
}

function logged(found: Whereabouts, sealer: Sealer | null): Whereabouts {
  if (found.kind !== "sealed") return found;
  const cause = sealer === null ? KEY_ADVICE : "it was sealed under another DESTINATION_KEY: put it again";
  logFailure("a destination's secret does not open; its events wait", cause, { destination: found.name });
  return found;
}

async function opened(row: DestinationRow, sealer: Sealer | null): Promise<Whereabouts> {
  const open = async (field: "client_secret" | "api_key") => {
    const sealed = row[field];
    return sealed === null ? "" : ((await sealer?.open(sealed, { destination: row.name, field })) ?? null);
  };
  const clientSecret = await open("client_secret");
  const apiKey = await open("api_key");
  if (clientSecret === null || apiKey === null) return { kind: "sealed", name: row.name };
  const destination = {
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
  return { kind: "open", destination };
}
