/**
 * What is known of a vendor: how a call to it looks, what it takes, what its answers mean. Pure data and functions,
 * so that edge and agent carry out the same rules, each over its own transport.
 */
import type { CallResult } from "../verdict.ts";

/** The ids a client named as headers: kept with an event and sent on with it, never mixed in one call. */
export interface VendorScope {
  /** Zuora's entities and organisations, comma separated. */
  readonly entityIds: string | null;
  readonly orgIds: string | null;
  /** Solvimon's platform. */
  readonly platformId: string | null;
}

/** How a stream's events travel to a vendor. */
export type DeliveryMode =
  /** Many a call. */
  | { readonly kind: "batches"; readonly limits: CallLimits }
  /** Each in a call of its own. */
  | { readonly kind: "single"; readonly limits: CallLimits }
  /** Not at all: they stay pending. */
  | { readonly kind: "none"; readonly why: string };

/** What one call may carry, by the vendor's documentation. */
export interface CallLimits {
  /** Bytes of the body before compression. */
  readonly bytesMax: number;
  readonly eventsMax: number;
}

/** A request as it goes out, but for the credentials; the path is put behind the base URL. */
export interface VendorRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly contentType: string;
  readonly coding: "gzip" | "identity";
  /** Empty where there is none. */
  readonly body: string;
}

export interface IngestCall {
  readonly stream: string;
  readonly scope: VendorScope;
  /** The call's idempotency key; null where positions tell repeats. */
  readonly key: string | null;
  /** The first event's position in its producer's log; null where the sender has none. */
  readonly position: { readonly producer: string; readonly first: number } | null;
  /** When each event was first received (ISO 8601), asked for only where it is told. */
  readonly receivedAt: () => readonly string[];
}

/** An ingest request without its events, which stand between `before` and `after`, joined by commas. */
export interface IngestRequest extends Omit<VendorRequest, "body"> {
  readonly before: string;
  readonly after: string;
}

/** What came back, whatever carried it. */
export interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  /** Its Date header in milliseconds since 1970; null where there is none that can be read. */
  readonly dateMs: number | null;
  /** Null where it is larger than any answer of the vendor, or could not be inflated. */
  readonly body: string | null;
}

export type VendorResponse =
  | ({ readonly kind: "answer" } & Answer)
  | { readonly kind: "no-response"; readonly reason: "network" | "timeout"; readonly message: string };

/** Why an event was rejected, as it is kept with it in quarantine. */
export interface RejectionReason {
  /** The vendor's status, 200 for a conflict. */
  readonly status: number;
  readonly code?: number | string;
  readonly message: string;
  readonly field?: string;
}

/** An event of a call that was taken, which the vendor has with other content. */
export interface Conflict {
  readonly index: number;
  readonly reason: RejectionReason;
}

/** What an answer to an ingest call says. */
export interface Reading {
  readonly accounted: (CallResult & { kind: "answer" })["accounted"];
  readonly conflicts: readonly Conflict[];
}

export interface Client {
  readonly id: string;
  /** Never logged. */
  readonly secret: string;
}

export type TokenReading =
  | { readonly kind: "token"; readonly value: string; readonly lifeMs: number }
  /** None: the call that needed it fares as if it had been answered with this status. */
  | { readonly kind: "none"; readonly status: number };

export interface TokenRules {
  readonly kind: "token";
  request(client: Client): VendorRequest;
  read(answer: Answer): TokenReading;
  headers(token: string): Readonly<Record<string, string>>;
}

export interface KeyRules {
  readonly kind: "key";
  headers(key: string): Readonly<Record<string, string>>;
}

export interface Vendor {
  /** In configurations, holds, metrics and messages. */
  readonly name: string;
  /** Whom an operator would expect to find at the URL. */
  readonly title: string;
  /** What the credentials must be allowed, where that has a name. */
  readonly permission: string | null;
  readonly credentials: KeyRules | TokenRules;
  /**
   * How a repeated call is known there. By position: each event is taken once, in whatever call. By key: only the
   * very same call under the same key, so that it must be fixed before its first attempt.
   */
  readonly repeatsKnownBy: "position" | "key";
  /** Bytes read of an answer, after inflation. */
  readonly answerBytesMax: number;
  deliveryMode(stream: string): DeliveryMode;
  /** The default of a path that differs from tenant to tenant; null where it is fixed. */
  readonly ingestPath: string | null;
  /**
   * @param ingestPath in place of the default one.
   * @throws RangeError for a stream whose delivery mode is none.
   */
  ingest(call: IngestCall, ingestPath?: string): IngestRequest;
  /** The one edit an event gets on its way; null where it goes byte for byte. */
  readonly editEvent: ((source: string, receivedAt: string) => string) | null;
  /** Reads an answer of 2xx to a call of `sent` events. */
  readSuccess(answer: Answer, sent: number): Reading;
  /** One harmless request that tells whether the credentials are taken; null where fetching a token tells. */
  readonly greeting: VendorRequest | null;
  /** Whether the answer to it is one that is let in. */
  isLetIn(answer: Answer): boolean;
  /** Where calculations are passed to; null where it calculates nothing. */
  readonly calculatePath: string | null;
  /** Whether it tells event schemas and keeps a ledger, as an edge does. */
  readonly isEdge: boolean;
}
