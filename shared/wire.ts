/** Names on the wire: headers, paths and default limits that edge, agent and their clients agree on. */

export const HEADER = {
  apiKey: "x-api-key",
  authorization: "authorization",
  contentType: "content-type",
  contentEncoding: "content-encoding",
  contentLength: "content-length",
  acceptEncoding: "accept-encoding",
  idempotencyKey: "idempotency-key",
  prefer: "prefer",
  wwwAuthenticate: "www-authenticate",
  preferenceApplied: "preference-applied",
  retryAfter: "retry-after",
  requestId: "x-request-id",
  platformId: "x-platform-id",
  producer: "weir-producer",
  sequence: "weir-sequence",
  trackId: "zuora-track-id",
  entityIds: "zuora-entity-ids",
  orgIds: "zuora-org-ids",
} as const;

/** The two spellings of Zuora's ingest operation; `:meter` stands for the meter's global id. */
export const USAGE_PATHS = ["/meters/streaming/ingestion/:meterGlobalId", "/usage/bulk/:meterGlobalId"] as const;

/** A usage stream's path: that of Zuora's operation, at Zuora and at an edge. */
export const USAGE_PATH = "/meters/streaming/ingestion/{meterGlobalId}";

export function usagePath(meterGlobalId: string, path = USAGE_PATH): string {
  return path.replace("{meterGlobalId}", encodeURIComponent(meterGlobalId));
}

export interface BodyLimits {
  /** Bytes of a body after inflation. */
  readonly bodyBytesMax: number;
  /** Events in one body. */
  readonly eventsMax: number;
  /** Bytes of one event's text. */
  readonly eventBytesMax: number;
}

export const DEFAULT_LIMITS: BodyLimits = {
  bodyBytesMax: 4_000_000,
  eventsMax: 10_000,
  eventBytesMax: 1_000_000,
};

/** Highest position a producer may use: integers beyond it are not exact in JSON readers. */
export const POSITION_MAX = Number.MAX_SAFE_INTEGER;

/** A producer's name: 1 to 128 of letters, digits, dot, underscore, hyphen. */
export const PRODUCER_PATTERN = /^[A-Za-z0-9._-]{1,128}$/;

/** The compact and the plain form of Weir's JSON content types. */
export type BodyForm = "json" | "ndjson";

/** The one version of Solvimon's API that is spoken. */
export const SOLVIMON_VERSION = "1";
