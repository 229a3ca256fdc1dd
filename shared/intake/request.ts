/** What every ingest request is asked before its body is read, and right after: the same at edge and agent. */
import type { ValidationError } from "../events/validation-error.ts";
import { type BodyForm, HEADER } from "../wire.ts";
import { type Dialect, type Reason, type Refusal, refused } from "./dialect.ts";
import {
  type BodyCoding,
  bodyCodingOf,
  bodyFormOf,
  idempotencyKeyError,
  type Preferences,
  preferencesOf,
  trackIdError,
} from "./headers.ts";

/** A header by its lower-case name; null where there is none. */
export type HeaderOf = (name: string) => string | null;

export type BodyType = { readonly kind: "body"; readonly form: BodyForm; readonly coding: BodyCoding };

const MEDIA_TYPES: Readonly<Record<BodyForm, string>> = { json: "application/json", ndjson: "application/x-ndjson" };

/** The body's form and coding, or a refusal where one of them is not read here. */
export function bodyTypeOf(header: HeaderOf, forms: readonly BodyForm[]): BodyType | Refusal {
  const form = bodyFormOf(header(HEADER.contentType));
  if (form === null || !forms.includes(form)) {
    return refused("unsupported-type", `send ${forms.map((name) => MEDIA_TYPES[name]).join(" or ")}`);
  }
  const coding = bodyCodingOf(header(HEADER.contentEncoding));
  if (coding === null) return refused("unsupported-type", "send Content-Encoding gzip, or none");
  return { kind: "body", form, coding };
}

export interface IngestHeaders {
  readonly errors: readonly ValidationError[];
  readonly preferences: Preferences;
  readonly idempotencyKey: string | null;
}

const NO_ERRORS: readonly ValidationError[] = [];

/** Reads the headers that both hosts read alike; a single event is never handled leniently. */
export function ingestHeadersOf<R extends Reason>(header: HeaderOf, dialect: Dialect<R>): IngestHeaders {
  const preferences = preferencesOf(header(HEADER.prefer));
  const idempotencyKey = header(HEADER.idempotencyKey);
  const trackId = dialect.readsTrackId ? trackIdError(header(HEADER.trackId)) : null;
  const key = idempotencyKeyError(idempotencyKey);
  return {
    errors: trackId === null && key === null ? NO_ERRORS : [trackId, key].filter((error) => error !== null),
    preferences: dialect.isSingle && preferences.lenient ? { ...preferences, lenient: false } : preferences,
    idempotencyKey,
  };
}
