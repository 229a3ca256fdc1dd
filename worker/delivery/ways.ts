/** Which way a tenant's stream goes upstream: its account there, and the one sender that holds that account's token. */
import type { CallLimits } from "../../shared/vendors/vendor.ts";
import { UPSTREAM_NAMES, UPSTREAMS, type UpstreamName } from "../../shared/vendors/vendors.ts";
import type { Destination, Directory } from "../destinations/directory.ts";
import { Rates } from "../rates.ts";
import { Remembered } from "../remembered.ts";
import type { Dialect } from "./dialect.ts";
import type { Fetch } from "./exchange.ts";
import type { StreamKey } from "./scopes.ts";
import { createUpstream } from "./upstream.ts";

/** Where a stream goes, and what one call of it may carry. */
export interface Way {
  readonly dialect: Dialect;
  readonly limits: CallLimits;
  /** When this instance may call there again (milliseconds since 1970); 0 for at once. */
  freeAt(now: number): number;
  /** A call goes there. */
  count(now: number): void;
}

/** `db`: through which it is read, so that an invocation's statements are counted. */
export interface Ways {
  /** Null where nobody takes the stream: its events stay pending. */
  of(stream: StreamKey, db: D1Database): Promise<Way | null>;
  /** By a destination's name, whosever it is now. */
  to(stream: string, destination: string, db: D1Database): Promise<Way | null>;
}

const UPSTREAMS_REMEMBERED_MAX = 1_000;

export function createWays(directory: Directory, fetch: Fetch, now: () => number): Ways {
  // By name and revision: neither tokens nor rates of two destinations, or of two states of one, ever meet.
  const upstreams = new Remembered<Dialect>(UPSTREAMS_REMEMBERED_MAX);
  const rates = new Rates();

  function dialectOf(name: UpstreamName, { name: destination, revision, settings }: Destination): Dialect {
    const key = JSON.stringify([name, destination, revision]);
    const known = upstreams.last(key);
    if (known !== undefined) return known;
    const made = createUpstream(UPSTREAMS[name], { settings, fetch, now, destination });
    upstreams.set(key, made, Number.POSITIVE_INFINITY);
    return made;
  }

  async function wayTo(stream: string, find: (name: UpstreamName) => Promise<Destination | null>): Promise<Way | null> {
    const name = UPSTREAM_NAMES.find((one) => UPSTREAMS[one].deliveryMode(stream).kind !== "none");
    const destination = name === undefined ? null : await find(name);
    if (name === undefined || destination === null) return null;
    const dialect = dialectOf(name, destination);
    const limits = dialect.limitsOf(stream);
    if (limits === null) return null;
    const { callsPerMinute } = destination.settings;
    const key = `${name} ${destination.name}`;
    return {
      dialect,
      limits,
      freeAt: (at) => (callsPerMinute === null ? 0 : rates.freeAt(key, callsPerMinute, at)),
      count: (at) => {
        if (callsPerMinute !== null) rates.take(key, callsPerMinute, at);
      },
    };
  }

  return {
    of: ({ tenant, stream }, db) => wayTo(stream, (name) => directory.destinationOf(tenant, name, now(), db)),
    to: (stream, destination, db) => wayTo(stream, (name) => directory.named(destination, name, now(), db)),
  };
}
