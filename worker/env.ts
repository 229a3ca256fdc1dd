/** Bindings and settings of the Worker, parsed once an instance. Nothing else reads the environment. */
import { z } from "zod";
import type { BackoffSettings } from "../shared/backoff.ts";
import { type BodyLimits, DEFAULT_LIMITS } from "../shared/wire.ts";

/** Look at this stream: something of it is pending. Carries no event; the ledger is the truth. */
export interface Nudge {
  readonly tenant: string;
  readonly stream: string;
}

export interface Bindings {
  readonly LEDGER: D1Database;
  readonly NUDGES: Queue<Nudge>;
  readonly [setting: string]: unknown;
}

const whole = (fallback: number, min = 1) =>
  z.preprocess((value) => (value === "" || value === undefined ? fallback : value), z.coerce.number().int().min(min));
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
  ZUORA_BASE_URL: url,
  ZUORA_INGEST_PATH: z.string().min(1).default("/meters/streaming/ingestion/{meterGlobalId}"),
  ZUORA_CLIENT_ID: text,
  ZUORA_CLIENT_SECRET: text,
  ZUORA_MAX_BYTES: whole(4_000_000),
  ZUORA_MAX_EVENTS: whole(10_000),
  SOLVIMON_BASE_URL: url,
  SOLVIMON_API_KEY: text,
  UPSTREAM_TIMEOUT_MS: whole(30_000),
  BACKOFF_BASE_MS: whole(500),
  BACKOFF_MAX_MS: whole(60_000),
});

export interface ZuoraSettings {
  /** Null: nothing is sent, events stay pending. */
  readonly baseUrl: string | null;
  readonly ingestPath: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly bytesMax: number;
  readonly eventsMax: number;
}

export interface SolvimonSettings {
  /** Null: nothing is sent, events stay pending. */
  readonly baseUrl: string | null;
  readonly apiKey: string;
}

export interface Settings {
  readonly limits: BodyLimits;
  /** Requests a key may send in a minute to one Worker instance; 0 for any number. */
  readonly rateLimitPerMinute: number;
  readonly zuora: ZuoraSettings;
  readonly solvimon: SolvimonSettings;
  readonly upstreamTimeoutMs: number;
  readonly backoff: BackoffSettings;
}

/**
 * Parses the Worker's settings.
 * @throws Error naming every setting that is wrong, without its value (it may be a secret).
 */
export function parseSettings(bindings: Bindings): Settings {
  const parsed = settingsSchema.safeParse(bindings);
  if (!parsed.success) {
    const wrong = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new Error(`settings: ${wrong.join("; ")}`);
  }
  const set = parsed.data;
  return {
    limits: { ...DEFAULT_LIMITS, bodyBytesMax: set.MAX_BODY_BYTES, eventsMax: set.MAX_EVENTS },
    rateLimitPerMinute: set.RATE_LIMIT_PER_MINUTE,
    zuora: {
      baseUrl: set.ZUORA_BASE_URL,
      ingestPath: set.ZUORA_INGEST_PATH,
      clientId: set.ZUORA_CLIENT_ID,
      clientSecret: set.ZUORA_CLIENT_SECRET,
      bytesMax: set.ZUORA_MAX_BYTES,
      eventsMax: set.ZUORA_MAX_EVENTS,
    },
    solvimon: { baseUrl: set.SOLVIMON_BASE_URL, apiKey: set.SOLVIMON_API_KEY },
    upstreamTimeoutMs: set.UPSTREAM_TIMEOUT_MS,
    backoff: { baseMs: set.BACKOFF_BASE_MS, maxMs: set.BACKOFF_MAX_MS },
  };
}
