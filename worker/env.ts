/** Bindings and settings of the Worker, parsed once an instance. Nothing else reads the environment. */
import { z } from "zod";
import type { BackoffSettings } from "../shared/backoff.ts";
import { UPSTREAM_NAMES, type UpstreamName } from "../shared/vendors/vendors.ts";
import { type BodyLimits, DEFAULT_LIMITS } from "../shared/wire.ts";

/** Look at this stream: something of it is pending. Carries no event; the ledger is the truth. */
export interface Nudge {
  readonly tenant: string;
  readonly stream: string;
  /** Of the one lane that it is about; absent: any of the stream's. */
  readonly context?: string;
}

/** Cloudflare's rate-limiting binding: it counts, and says yes or no. */
export type RateLimitBinding = RateLimit;

export interface Bindings {
  readonly LEDGER: D1Database;
  readonly NUDGES: Queue<Nudge>;
  /** Where the payload of what was delivered goes; without it, it is removed. */
  readonly ARCHIVE?: R2Bucket;
  /** Of keys, of requests for tokens, and of refused credentials; where one is not bound each instance counts by its setting. */
  readonly KEY_RATE?: RateLimitBinding;
  readonly TOKEN_RATE?: RateLimitBinding;
  readonly REFUSED_RATE?: RateLimitBinding;
  readonly [setting: string]: unknown;
}

const whole = (fallback: number, min = 1) =>
  z.preprocess((value) => (value === "" || value === undefined ? fallback : value), z.coerce.number().int().min(min));
const wholeOrNone = z.preprocess(
  (value) => (value === "" || value === undefined ? null : value),
  z.coerce.number().int().min(1).nullable(),
);
/** A number of days, also of parts of one. */
const days = (fallback: number) =>
  z.preprocess((value) => (value === "" || value === undefined ? fallback : value), z.coerce.number().positive());
const url = z
  .string()
  .default("")
  .transform((value) => value.trim().replace(/\/+$/, ""))
  .refine((value) => value === "" || /^https?:\/\/[^\s]+$/.test(value), "must be an http or https URL")
  .transform((value) => (value === "" ? null : value));
const text = z.string().default("");

const settingsSchema = z.object({
  MAX_BODY_BYTES: whole(DEFAULT_LIMITS.bodyBytesMax),
  MAX_EVENTS: whole(DEFAULT_LIMITS.eventsMax),
  RATE_LIMIT_PER_MINUTE: whole(0, 0),
  TOKEN_RATE_LIMIT_PER_MINUTE: whole(60, 0),
  REFUSED_RATE_LIMIT_PER_MINUTE: whole(60, 0),
  UPSTREAM_TIMEOUT_MS: whole(30_000),
  BACKOFF_BASE_MS: whole(500),
  BACKOFF_MAX_MS: whole(60_000),
  DESTINATION_KEY: text,
  TOKEN_SECRET: text,
  TOKEN_SECRET_PREVIOUS: text,
  LOOPBACK_DESTINATIONS: text,
  DEDUP_DAYS: whole(400),
  RETAIN_DAYS: days(30),
  LEDGER_BYTES_MAX: whole(9_000_000_000),
});

/** Of every upstream, each name behind the vendor's own and an underscore: ZUORA_BASE_URL. */
const upstreamSchema = z.object({
  BASE_URL: url,
  INGEST_PATH: text,
  CLIENT_ID: text,
  CLIENT_SECRET: text,
  API_KEY: text,
  MAX_BYTES: wholeOrNone,
  MAX_EVENTS: wholeOrNone,
});

export interface UpstreamSettings {
  /** Null: nothing is sent, events stay pending. */
  readonly baseUrl: string | null;
  /** Null: the vendor's own. */
  readonly ingestPath: string | null;
  /** Null: the vendor's own path below the base URL. */
  readonly tokenUrl: string | null;
  /** Where it takes a client's tokens. */
  readonly clientId: string;
  readonly clientSecret: string;
  /** Where it takes a key. */
  readonly apiKey: string;
  /** Of a call, in place of the vendor's own limits; null: those. */
  readonly bytesMax: number | null;
  readonly eventsMax: number | null;
  /** That one instance of the Worker may make; null: any number. */
  readonly callsPerMinute: number | null;
}

export interface Settings {
  readonly limits: BodyLimits;
  /** Requests a key may send in a minute to one Worker instance; 0 for any number. */
  readonly rateLimitPerMinute: number;
  /** Requests for tokens that a client, or an address, may send in a minute to one Worker instance; 0 for any number. */
  readonly tokenRateLimitPerMinute: number;
  /** Requests with credentials that nobody has, of one address in a minute to one Worker instance; 0 for any number. */
  readonly refusedRateLimitPerMinute: number;
  readonly upstreams: Readonly<Record<UpstreamName, UpstreamSettings>>;
  readonly upstreamTimeoutMs: number;
  readonly backoff: BackoffSettings;
  /** What the secrets of destinations are sealed under; empty where none is set. */
  readonly destinationKey: string;
  /** What tokens are signed with, empty where none is set, and one that is accepted still. */
  readonly tokenSecret: string;
  readonly tokenSecretPrevious: string;
  /** Whether a destination may be plain http on this machine, as on a local edge. */
  readonly loopbackDestinations: boolean;
  /** For how many days a repeat is known at least, where a stream says nothing else. */
  readonly dedupDays: number;
  /** For how many days the payload of what was delivered stays in the ledger. */
  readonly retainDays: number;
  /** New events are refused from so many bytes of ledger on. */
  readonly ledgerBytesMax: number;
}

/**
 * Parses the Worker's settings.
 * @throws Error naming every setting that is wrong, without its value (it may be a secret).
 */
export function parseSettings(bindings: Bindings): Settings {
  const parsed = settingsSchema.safeParse(bindings);
  const upstreams = UPSTREAM_NAMES.map((name) => parseUpstream(name, bindings));
  const wrong = [parsed.error, ...upstreams.map(({ error }) => error)].flatMap((error) => [...(error?.issues ?? [])]);
  if (wrong.length > 0 || !parsed.success) {
    throw new Error(`settings: ${wrong.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ")}`);
  }
  const set = parsed.data;
  return {
    limits: { ...DEFAULT_LIMITS, bodyBytesMax: set.MAX_BODY_BYTES, eventsMax: set.MAX_EVENTS },
    rateLimitPerMinute: set.RATE_LIMIT_PER_MINUTE,
    tokenRateLimitPerMinute: set.TOKEN_RATE_LIMIT_PER_MINUTE,
    refusedRateLimitPerMinute: set.REFUSED_RATE_LIMIT_PER_MINUTE,
    upstreams: Object.fromEntries(
      upstreams.flatMap(({ data }) => (data === undefined ? [] : [data])),
    ) as Settings["upstreams"],
    upstreamTimeoutMs: set.UPSTREAM_TIMEOUT_MS,
    backoff: { baseMs: set.BACKOFF_BASE_MS, maxMs: set.BACKOFF_MAX_MS },
    destinationKey: set.DESTINATION_KEY,
    tokenSecret: set.TOKEN_SECRET,
    tokenSecretPrevious: set.TOKEN_SECRET_PREVIOUS,
    loopbackDestinations: set.LOOPBACK_DESTINATIONS === "allow",
    dedupDays: set.DEDUP_DAYS,
    retainDays: set.RETAIN_DAYS,
    ledgerBytesMax: set.LEDGER_BYTES_MAX,
  };
}

interface UpstreamParsed {
  readonly data?: readonly [UpstreamName, UpstreamSettings];
  readonly error?: { readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[] };
}

/** One upstream's settings by its name; an issue's path is the setting as a person writes it. */
function parseUpstream(name: UpstreamName, bindings: Bindings): UpstreamParsed {
  const prefix = `${name.toUpperCase()}_`;
  const own = Object.keys(upstreamSchema.shape).map((key) => [key, bindings[prefix + key]]);
  const { data: set, error } = upstreamSchema.safeParse(Object.fromEntries(own));
  if (set === undefined) {
    const issues = error?.issues ?? [];
    return { error: { issues: issues.map(({ path, message }) => ({ path: [prefix + path.join(".")], message })) } };
  }
  const settings: UpstreamSettings = {
    baseUrl: set.BASE_URL,
    ingestPath: set.INGEST_PATH === "" ? null : set.INGEST_PATH,
    tokenUrl: null,
    clientId: set.CLIENT_ID,
    clientSecret: set.CLIENT_SECRET,
    apiKey: set.API_KEY,
    bytesMax: set.MAX_BYTES,
    eventsMax: set.MAX_EVENTS,
    callsPerMinute: null,
  };
  return { data: [name, settings] as const };
}
