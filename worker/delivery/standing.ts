/** How delivery stands: what waits, since when and why, told in words of ours that hold no secret and no event. */
import { UPSTREAM_NAMES, UPSTREAMS, type UpstreamName } from "../../shared/vendors/vendors.ts";
import type { Settings } from "../env.ts";
import { rowIdTime } from "../ledger/row-id.ts";
import { Remembered } from "../remembered.ts";
import * as SQL from "./standing-sql.ts";

/**
 * `waiting`: nothing is sent, for all of it waits. `lanes_waiting`: some lanes wait, each for itself; the others need not. `not_set`: there is no base URL, so
 * that events stay pending.
 */
export type StandingState = "ok" | "lanes_waiting" | "waiting" | "not_set";

export const STANDING_STATES: readonly StandingState[] = ["ok", "lanes_waiting", "waiting", "not_set"];

export interface Standing {
  readonly state: StandingState;
  /** Milliseconds since 1970; null where nothing waits. */
  readonly since: number | null;
  /** Each once, at most `WHYS_MAX`. */
  readonly why: readonly string[];
  /** Lanes, a tenant's stream with the same ids headers each, that wait for themselves. */
  readonly lanesWaiting: number;
}

export interface DestinationStanding extends Standing {
  readonly vendor: UpstreamName;
  /** Which of the vendor's accounts. */
  readonly destination: "default";
}

export interface StreamStanding extends Standing {
  readonly stream: string;
  /** The producer's events that are not delivered, and when the stream's oldest was accepted. */
  readonly pending: number;
  readonly oldestPendingAt: number | null;
}

export interface HeldLanes {
  readonly tenant: string;
  readonly stream: string;
  readonly lanes: number;
}

export interface Look {
  readonly destinations: readonly DestinationStanding[];
  readonly held: readonly HeldLanes[];
}

export interface DeliveryStanding {
  /** Destinations, and the lanes that wait by tenant and stream; up to `READ_MS` old. */
  look(now: number): Promise<Look>;
  /** A producer's streams and what becomes of its events. */
  producer(tenant: string, producer: string, now: number): Promise<StreamStanding[]>;
}

const STREAMS_MAX = 1000;
const HOLDS_MAX = 5000;
const WHYS_MAX = 5;
/** Anybody may ask whether an edge is ready: the ledger is read at most so often for it, in each instance. */
const READ_MS = 2_000;

interface Read extends Look {
  readonly rows: readonly SQL.HeldRow[];
}

export function createStanding(db: D1Database, { upstreams }: Pick<Settings, "upstreams">): DeliveryStanding {
  const remembered = new Remembered<Read>(1);

  async function read(now: number): Promise<Read> {
    const known = remembered.get("", now);
    if (known !== undefined) return known;
    const rows = await SQL.HELD.all(db, { count: HOLDS_MAX });
    const destinations = UPSTREAM_NAMES.map((vendor) => {
      const isSet = upstreams[vendor].baseUrl !== null;
      const standing = isSet ? standingOf(rows.filter((row) => row.vendor === vendor)) : NOT_SET;
      return { vendor, destination: "default" as const, ...standing };
    });
    const found = { rows, destinations, held: heldBy(rows) };
    remembered.set("", found, now + READ_MS);
    return found;
  }

  return {
    look: read,
    async producer(tenant, producer, now) {
      const [{ rows, destinations }, streams] = await Promise.all([
        read(now),
        SQL.PRODUCER_STREAMS.all(db, { tenant, producer, count: STREAMS_MAX }),
      ]);
      return streams.map((of) => {
        const own = rows.filter((row) => row.kind === "lane" && row.tenant === tenant && row.stream === of.stream);
        const destination = destinations.find(({ vendor }) => vendor === vendorOf(of.stream));
        return streamOf(of, standingOf(own), destination ?? NOT_SET);
      });
    },
  };
}

const OK: Standing = { state: "ok", since: null, why: [], lanesWaiting: 0 };
const NOT_SET: Standing = { ...OK, state: "not_set" };

/** Of what these holds stop. */
function standingOf(rows: readonly SQL.HeldRow[]): Standing {
  if (rows.length === 0) return OK;
  const wide = rows.filter(({ kind }) => kind !== "lane");
  const blamed = wide.length > 0 ? wide : rows;
  return {
    state: wide.length > 0 ? "waiting" : "lanes_waiting",
    since: Math.min(...blamed.map(({ since }) => since)),
    why: [...new Set(blamed.map(whyOf))].slice(0, WHYS_MAX),
    lanesWaiting: rows.length - wide.length,
  };
}

function whyOf({ kind, status, token }: SQL.HeldRow): string {
  const answered = status === null ? "no response" : `answered ${status}`;
  if (kind === "credentials") return `credentials refused (${answered})`;
  return token === 1 ? `no token (${answered})` : answered;
}

function heldBy(rows: readonly SQL.HeldRow[]): HeldLanes[] {
  const found = new Map<string, HeldLanes>();
  for (const { kind, tenant, stream } of rows) {
    if (kind !== "lane") continue;
    const key = `${tenant}\n${stream}`;
    found.set(key, { tenant, stream, lanes: (found.get(key)?.lanes ?? 0) + 1 });
  }
  return [...found.values()];
}

/** Whatever holds the destination holds its streams; where nothing is pending nothing waits. */
function streamOf(row: SQL.ProducerStream, own: Standing, destination: Standing): StreamStanding {
  const { stream, pending, oldest_unpacked, oldest_packed } = row;
  const oldest = [oldest_unpacked, oldest_packed].filter((id) => id !== null);
  const oldestPendingAt = pending === 0 || oldest.length === 0 ? null : rowIdTime(Math.min(...oldest));
  const isWide = destination.state === "waiting" || destination.state === "not_set";
  const standing = isWide ? { ...destination, lanesWaiting: own.lanesWaiting } : own;
  const { state, since, why, lanesWaiting } = pending === 0 ? OK : standing;
  return { stream, pending, oldestPendingAt, state, since, why, lanesWaiting };
}

function vendorOf(stream: string): UpstreamName | null {
  return UPSTREAM_NAMES.find((name) => UPSTREAMS[name].deliveryMode(stream).kind !== "none") ?? null;
}
