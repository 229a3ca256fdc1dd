/** How delivery stands: what waits, since when and why, in words of ours that hold no secret and no event. */
import { UPSTREAM_NAMES, UPSTREAMS, type UpstreamName } from "../../shared/vendors/vendors.ts";
import { DEFAULT_DESTINATION } from "../destinations/destination-requests.ts";
import type { Directory, Whereabouts } from "../destinations/directory.ts";
import type { Settings } from "../env.ts";
import { rowIdTime } from "../ledger/row-id.ts";
import { Remembered } from "../remembered.ts";
import type { Account } from "./scopes.ts";
import * as SQL from "./standing-sql.ts";

/**
 * `waiting`: nothing is sent, for all of it waits. `lanes_waiting`: some lanes wait, each for itself; the others need not. `not_set`: there is no base URL, so
 * that events stay pending.
 */
export type StandingState = "ok" | "lanes_waiting" | "waiting" | "not_set";

export const STANDING_STATES: readonly StandingState[] = ["ok", "lanes_waiting", "waiting", "not_set"];

export interface Standing {
  readonly state: StandingState;
  /** Milliseconds since 1970; null where nothing waits, or nobody knows since when. */
  readonly since: number | null;
  /** Each once, at most `WHYS_MAX`. */
  readonly why: readonly string[];
  /** Lanes, a tenant's stream with the same ids headers each, that wait for themselves; counted to `LANES_COUNTED_MAX`. */
  readonly lanesWaiting: number;
}

export interface DestinationStanding extends Standing {
  readonly vendor: UpstreamName;
  /** Which of the vendor's accounts; `default` is that of the settings. */
  readonly destination: string;
}

export interface StreamStanding extends Standing {
  readonly stream: string;
  /** The producer's events that are not delivered, and when the stream's oldest was accepted. */
  readonly pending: number;
  readonly oldestPendingAt: number | null;
}

export type HeldLanes = SQL.HeldLanes;

export interface DeliveryStanding {
  /** Each vendor's `default`, then the named ones in order of their names; up to `READ_MS` old. */
  destinations(now: number): Promise<readonly DestinationStanding[]>;
  /** The named ones after a name, as they stand this moment. */
  named(after: string, count: number): Promise<DestinationStanding[]>;
  /** Lanes that wait, by destination, tenant and stream. */
  lanes(): Promise<HeldLanes[]>;
  /** A producer's streams and what becomes of its events. */
  producer(tenant: string, producer: string, now: number): Promise<StreamStanding[]>;
}

const STREAMS_MAX = 1000;
/** Of each destination, or of what one tenant has there. */
const LANES_COUNTED_MAX = 1000;
/** Of them all, for the metrics, and the samples they make. */
const LANES_READ_MAX = 50_000;
const LANE_SAMPLES_MAX = 5000;
const WHYS_MAX = 5;
/** Named destinations that are told of together. */
const NAMED_MAX = 1000;
/** Anybody may ask whether an edge is ready: the ledger is read at most so often for it, in each instance. */
const READ_MS = 2_000;

const OK: Standing = { state: "ok", since: null, why: [], lanesWaiting: 0 };
const NOT_SET: Standing = { ...OK, state: "not_set" };
const SEALED: Standing = { ...OK, state: "waiting", why: ["its secret does not open"] };

export function createStanding(
  db: D1Database,
  { upstreams }: Pick<Settings, "upstreams">,
  directory: Directory,
): DeliveryStanding {
  const remembered = new Remembered<readonly DestinationStanding[]>(1);

  async function named(after: string, count: number): Promise<DestinationStanding[]> {
    const listed = await directory.listed(after, count);
    const accounts = listed.map(({ dialect, name }) => ({ vendor: dialect, destination: name }));
    const holds = await heldAt(db, accounts);
    return listed.map(({ dialect: vendor, name: destination, opens }) => {
      const standing = standingOf(holds.get(accountText({ vendor, destination })) ?? []);
      return { vendor, destination, ...(opens ? standing : { ...SEALED, lanesWaiting: standing.lanesWaiting }) };
    });
  }

  async function ofSettings(): Promise<DestinationStanding[]> {
    const accounts = UPSTREAM_NAMES.map((vendor) => ({ vendor, destination: DEFAULT_DESTINATION }));
    const holds = await heldAt(db, accounts);
    return accounts.map((account) => {
      const isSet = upstreams[account.vendor].baseUrl !== null;
      return { ...account, ...(isSet ? standingOf(holds.get(accountText(account)) ?? []) : NOT_SET) };
    });
  }

  async function producerStreams(tenant: string, producer: string, now: number): Promise<StreamStanding[]> {
    const [streams, found] = await Promise.all([
      SQL.PRODUCER_STREAMS.all(db, { tenant, producer, count: STREAMS_MAX }),
      Promise.all(UPSTREAM_NAMES.map(async (name) => [name, await directory.whereabouts(tenant, name, now)] as const)),
    ]);
    const ways = new Map<UpstreamName, Whereabouts>(found);
    const accountsOf = new Map(streams.map((of) => [of, accountsOfStream(of, ways)]));
    const holds = await heldOfTenant(db, tenant, [...accountsOf.values()].flat());
    return streams.map((of) => {
      const accounts = accountsOf.get(of) ?? [];
      const rows = accounts.flatMap((account) => holds.get(accountText(account)) ?? []);
      const own = rows.filter(({ kind, stream }) => kind !== "lane" || stream === of.stream);
      const vendor = vendorOf(of.stream);
      return streamOf(of, (vendor === null ? undefined : ways.get(vendor)) ?? { kind: "none" }, standingOf(own));
    });
  }

  return {
    named,
    lanes: () => SQL.LANES_HELD.all(db, { lanesMax: LANES_READ_MAX, count: LANE_SAMPLES_MAX }),
    producer: producerStreams,
    async destinations(now) {
      const known = remembered.get("", now);
      if (known !== undefined) return known;
      const found = (await Promise.all([ofSettings(), named("", NAMED_MAX)])).flat();
      remembered.set("", found, now + READ_MS);
      return found;
    },
  };
}

/** What several destinations come to, told as one: the worst of their states, since the first of those, all reasons. */
export function mergedStanding(standings: readonly Standing[]): Standing {
  const worst = (["waiting", "lanes_waiting", "not_set"] as const).find((state) =>
    standings.some((one) => one.state === state),
  );
  if (worst === undefined) return OK;
  const blamed = standings.filter(({ state }) => state === worst);
  const since = blamed.flatMap((one) => (one.since === null ? [] : [one.since]));
  return {
    state: worst,
    since: since.length === 0 ? null : Math.min(...since),
    why: [...new Set(blamed.flatMap(({ why }) => why))].slice(0, WHYS_MAX),
    lanesWaiting: standings.reduce((sum, { lanesWaiting }) => sum + lanesWaiting, 0),
  };
}

type HeldByAccount = Map<string, SQL.Alike[]>;

async function heldAt(db: D1Database, accounts: readonly Account[]): Promise<HeldByAccount> {
  if (accounts.length === 0) return new Map();
  return byAccount(await SQL.HELD.all(db, { accounts: accountsJson(accounts), lanesMax: LANES_COUNTED_MAX }));
}

async function heldOfTenant(db: D1Database, tenant: string, accounts: readonly Account[]): Promise<HeldByAccount> {
  if (accounts.length === 0) return new Map();
  const distinct = [...new Map(accounts.map((one) => [accountText(one), one])).values()];
  const bounds = { tenant, lanesMax: LANES_COUNTED_MAX };
  return byAccount(await SQL.HELD_OF_TENANT.all(db, { accounts: accountsJson(distinct), ...bounds }));
}

function accountsJson(accounts: readonly Account[]): string {
  return JSON.stringify(accounts.map(({ vendor, destination }) => [vendor, destination]));
}

function byAccount(rows: readonly SQL.HeldAccount[]): HeldByAccount {
  return new Map(
    rows.map(({ held, ...account }) => {
      const found = JSON.parse(held) as [SQL.Alike["kind"], string, number | null, 0 | 1, number, number][];
      const alike = found.map(([kind, stream, status, token, since, count]) => {
        return { kind, stream, status, token, since, count };
      });
      return [accountText(account), alike];
    }),
  );
}

function accountText({ vendor, destination }: Account): string {
  return `${vendor} ${destination}`;
}

/** Of what these holds stop. */
function standingOf(rows: readonly SQL.Alike[]): Standing {
  if (rows.length === 0) return OK;
  const wide = rows.filter(({ kind }) => kind !== "lane");
  const blamed = wide.length > 0 ? wide : rows;
  const lanesWaiting = rows.reduce((sum, { kind, count }) => sum + (kind === "lane" ? count : 0), 0);
  return {
    state: wide.length > 0 ? "waiting" : "lanes_waiting",
    since: Math.min(...blamed.map(({ since }) => since)),
    why: [...new Set(blamed.map(whyOf))].slice(0, WHYS_MAX),
    lanesWaiting,
  };
}

function whyOf({ kind, status, token }: SQL.Alike): string {
  const answered = status === null ? "no response" : `answered ${status}`;
  if (kind === "credentials") return `credentials refused (${answered})`;
  return token === 1 ? `no token (${answered})` : answered;
}

/** Where its events go, and where calls in doubt are bound to, which go nowhere else. */
function accountsOfStream({ stream, bound }: SQL.ProducerStream, ways: ReadonlyMap<UpstreamName, Whereabouts>) {
  const vendor = vendorOf(stream);
  const way = vendor === null ? undefined : ways.get(vendor);
  if (vendor === null || way === undefined) return [];
  const names = new Set<string>(JSON.parse(bound) as string[]);
  if (way.kind !== "none") names.add(way.kind === "open" ? way.destination.name : way.name);
  return [...names].map((destination): Account => ({ vendor, destination }));
}

/** Whatever holds the destination holds its streams; where nothing is pending nothing waits. */
function streamOf(row: SQL.ProducerStream, way: Whereabouts, held: Standing): StreamStanding {
  const { stream, pending, oldest_unpacked, oldest_packed } = row;
  if (pending === 0) return { stream, pending, oldestPendingAt: null, ...OK };
  const oldest = [oldest_unpacked, oldest_packed].filter((id) => id !== null);
  const oldestPendingAt = oldest.length === 0 ? null : rowIdTime(Math.min(...oldest));
  const { lanesWaiting } = held;
  if (way.kind === "none") return { stream, pending, oldestPendingAt, ...NOT_SET, lanesWaiting };
  if (way.kind === "sealed") return { stream, pending, oldestPendingAt, ...SEALED, lanesWaiting };
  return { stream, pending, oldestPendingAt, ...held };
}

function vendorOf(stream: string): UpstreamName | null {
  return UPSTREAM_NAMES.find((name) => UPSTREAMS[name].deliveryMode(stream).kind !== "none") ?? null;
}
