/**
 * A dialect describes how one operation of an API takes events in: which bodies it reads, how an event is checked, how
 * refusals and answers are worded. Edge and agent each run one pipeline over it, so that both give the same answer to
 * the same request, and an API more is a description more.
 */
import type { Kind } from "../events/kind.ts";
import type { ValidationError } from "../events/validation-error.ts";
import type { Fields, SpanObject } from "../json/span.ts";
import type { JsonObject } from "../json/value.ts";
import type { BodyForm, BodyLimits } from "../wire.ts";
import type { Preferences } from "./headers.ts";
import type { EventResults } from "./usage-answer.ts";

/** What is wrong with an event, in the API's own form. */
export interface Reason {
  readonly message: string;
  readonly field?: string;
  /** Which event of the body, from 0. */
  readonly index?: number;
}

export interface CheckedEvent<R> {
  /** Source text, byte for byte; made when it is asked for. */
  readonly source: string;
  /** Where it lies in the body, in bytes. */
  readonly from: number;
  readonly to: number;
  /** Its members, each read when it is asked for. */
  readonly fields: SpanObject;
  /** Parsed whole when it is asked for: many times its text. */
  readonly value: JsonObject;
  /** What is wrong with it, without its index; empty for a valid event, and often one list for many events. */
  readonly found: readonly R[];
  /** The same, each with the event's index in the body. */
  readonly errors: readonly R[];
}

/** Everything wrong with one event, without its index. */
export type Check<R> = (event: Fields) => readonly R[];

/** What a stream's events are held against, by the catalog or the schemas of the moment. */
export interface StreamRules<R> {
  readonly check: Check<R>;
  /** The top-level field that holds an event's own id, if the stream has one. */
  readonly ownIdField: string | null;
  /** False: an event without own id, key or position is always a new one. */
  readonly deduplicatesByContent: boolean;
}

export type BodyOutcome<T, R> =
  | {
      readonly kind: "events";
      /** What was kept of them; empty where that is nothing. */
      readonly events: T[];
      /** Events in the body. */
      readonly count: number;
      /** When an agent on the way first received each event, if the body says so. */
      readonly receivedAt: readonly string[] | null;
    }
  /** Too large in bytes or events: 413. */
  | { readonly kind: "too-large"; readonly message: string; readonly index?: number }
  /** Not a body of JSON objects: 400 whatever the preference. */
  | { readonly kind: "malformed"; readonly reason: R };

/**
 * Takes each checked event, which is only good until it returns; what it returns is kept in its place, unless that is
 * nothing, and nothing else of the event is.
 */
export type Keep<T, R> = (event: CheckedEvent<R>, index: number) => T;

/** Why an event conflicts: by which identity it was accepted before, or that its reprocessing group was closed. */
export type ConflictCause = "id" | "key" | "position" | "content" | "closed";

export interface Dialect<R extends Reason> {
  readonly kind: Kind;
  /** The stream's name, the same in every route, log and ledger. */
  readonly stream: string;
  /** What to say where there is no such stream. */
  readonly unknown: string;
  readonly forms: readonly BodyForm[];
  /** Whether a body is one event, accepted or refused whole and answered with its resource. */
  readonly isSingle: boolean;
  /** Whether it reads Zuora-Track-Id. */
  readonly readsTrackId: boolean;
  /** Top-level fields that are no content. */
  readonly readOnly: ReadonlySet<string>;
  /** Whether an event says when it happened; one that does not happens when it arrives, and is like no other. */
  carriesTime(event: Fields): boolean;
  /** Reads an inflated body and checks each event, which leaves memory once it was handed to `keep`. */
  read<T>(bytes: Uint8Array, form: BodyForm, check: Check<R>, limits: BodyLimits, keep: Keep<T, R>): BodyOutcome<T, R>;
  /** Why an event conflicts, in the API's form. */
  conflict(cause: ConflictCause, index: number): R;
  /** A reason as quarantine keeps it and lists of results show it. */
  listed(reason: R, index: number): ValidationError;
  answer(outcome: Answerable<R>): IngestAnswer;
}

/** The refusals that say nothing of an event. */
export type RefusalCause =
  | "unknown-stream"
  | "unsupported-type"
  | "too-large"
  | "broken-body"
  /** Its body came too slowly. */
  | "slow"
  | "key-ended"
  /** The name is not one that the key may send under. */
  | "foreign-producer"
  /** Too much at once; nothing was read. */
  | "busy"
  /** The catalog changed each time that the events were checked by it. */
  | "catalog-unsettled"
  /** The edge's database is near its bound. */
  | "ledger-full"
  | "buffer-full"
  | "disk-full";

export interface Refusal {
  readonly kind: "refused";
  readonly cause: RefusalCause;
  readonly message: string;
}

export interface Accepted {
  readonly kind: "accepted";
  /** One for each event, in order; every event is durable or known. */
  readonly results: EventResults;
  readonly preferences: Preferences;
  /** Of a single event: what its resource is made of. */
  readonly resource: Resource | null;
}

export interface Resource {
  readonly id: string;
  readonly source: string;
  /** ISO 8601; of the first receipt. */
  readonly receivedAt: string;
  /** Known from before: the original is answered. */
  readonly isReplay: boolean;
}

/** What an ingest request can come to, as far as somebody is there to be answered. */
export type Answerable<R> =
  | Refusal
  | { readonly kind: "bad-headers"; readonly message: string; readonly errors: readonly ValidationError[] }
  | { readonly kind: "malformed"; readonly reason: R }
  /** Strict, and some events are not valid or conflict: nothing was stored. */
  | {
      readonly kind: "rejected";
      /** Of events that are not valid, in order; as many as an answer lists, or more. */
      readonly errors: readonly R[];
      /** How many events are not valid, where `errors` does not tell of all. */
      readonly invalid?: number;
      readonly conflicts: readonly Conflicting<R>[];
      /** Events in the body. */
      readonly total: number;
    }
  | Accepted;

export interface Conflicting<R> {
  readonly reason: R;
  /** Of the event as it was accepted before; empty where that is not known here. */
  readonly id: string;
}

/** An answer before it is HTTP. */
export interface IngestAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** An object becomes JSON; a text is JSON already. */
  readonly body: object | string;
}

/** @param message in the words of its sender's request. */
export function refused(cause: RefusalCause, message: string): Refusal {
  return { kind: "refused", cause, message };
}

/** The status of a refusal, and after how many seconds another try makes sense. */
export const REFUSAL: Readonly<Record<RefusalCause, { readonly status: number; readonly retryAfterS?: number }>> = {
  "unknown-stream": { status: 404 },
  "unsupported-type": { status: 415 },
  "too-large": { status: 413 },
  "broken-body": { status: 400 },
  slow: { status: 408 },
  "key-ended": { status: 401 },
  "foreign-producer": { status: 403 },
  busy: { status: 503, retryAfterS: 1 },
  "catalog-unsettled": { status: 503, retryAfterS: 1 },
  // Retention makes room a slice at a time.
  "ledger-full": { status: 507, retryAfterS: 60 },
  // Uploads make room as they go.
  "buffer-full": { status: 429, retryAfterS: 5 },
  "disk-full": { status: 507, retryAfterS: 5 },
};
