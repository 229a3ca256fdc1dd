/**
 * The ledger as the rest of the Worker sees it: every event accepted, its fate, and the counts that
 * prove it. All access names the tenant, so that a tenant can live on a database of its own.
 */
import type { Fate, IncomingEvent } from "./plan.ts";

/** One request's events of one stream, checked and identified, in the order they were sent. */
export interface Filing {
  readonly tenant: string;
  readonly stream: string;
  readonly producer: string | null;
  /** Whose the producer's name becomes where it is nobody's: the lineage of the request's key. */
  readonly owner: string;
  /** Whether the key's own list covers the name, so that it may use it whoever owns it. */
  readonly isListed: boolean;
  /** Ids that go upstream with the events, as JSON, or "" for none: calls never mix them. */
  readonly context: string;
  /** The ids as the client sent them, part of the events' identity: see `sentIdsText`. */
  readonly sentIds: string;
  readonly idempotencyKey: string | null;
  /** The top-level field that holds an event's own id, if the stream has one. */
  readonly ownIdField: string | null;
  readonly receivedAt: number;
  /** When an agent on the way first received each event, if it says so. */
  readonly times?: readonly string[] | null;
  readonly events: readonly IncomingEvent[];
  /** Names this request in the ledger, however often it is tried; what makes new events new. */
  readonly nonce: string;
  /** False: one conflict, and nothing of the request is stored. */
  readonly lenient: boolean;
  /** The key the request came with; the storing transaction looks again whether it is still valid. */
  readonly apiKeyId: string;
  /** The catalog the events were checked by; the storing transaction looks whether it still stands. */
  readonly catalogVersion: number;
}

export type FileOutcome =
  /** Durable: each event's fate, in order. */
  | { readonly kind: "filed"; readonly fates: readonly Fate[] }
  /** Strict, and some events conflict: nothing was stored. */
  | { readonly kind: "conflicts"; readonly fates: readonly Fate[] }
  /** The key was revoked or has expired meanwhile. */
  | { readonly kind: "key-ended" }
  /** Another key owns the producer's name on this stream: nothing was stored. */
  | { readonly kind: "foreign-producer" }
  /** The database has no room left: nothing was stored. */
  | { readonly kind: "ledger-full" }
  /** Check the events again by the new catalog. */
  | { readonly kind: "catalog-changed" };

export interface LedgerRow {
  readonly kind: string;
  readonly stream: string;
  readonly producer?: string;
  readonly accepted: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly pending: number;
  readonly delivered: number;
  readonly quarantined: number;
  readonly discarded: number;
  readonly first_sequence?: number;
  readonly last_sequence?: number;
  /** Missing positions between first and last, ends inclusive; the first 1,000 after the filter's `gapsAfter`. */
  readonly gaps: readonly (readonly [number, number])[];
  readonly gaps_total?: number;
  readonly digest: string;
  /** How many events the digest covers. */
  readonly digested: number;
}

/** A row of the ledger. */
export interface LedgerKey {
  readonly stream: string;
  /** "" for events without one. */
  readonly producer: string;
}

export interface LedgerFilter {
  readonly producer?: string | undefined;
  readonly stream?: string | undefined;
  /** Gaps are listed that begin after this position; all of them where it is absent. */
  readonly gapsAfter?: number | undefined;
  /** The first row of the page; from the beginning where it is absent. */
  readonly from?: LedgerKey | undefined;
  /** Rows of one page. */
  readonly limit: number;
}

export interface LedgerPage {
  /** By stream, then producer. */
  readonly rows: readonly LedgerRow[];
  /** The row that follows; null at the end. */
  readonly next: LedgerKey | null;
}

export interface Ledger {
  /** Files a request in one transaction. @throws where the database gave no clear answer after several tries. */
  file(filing: Filing): Promise<FileOutcome>;
  /** The counts of streams and producers, with gaps and digests. */
  rows(tenant: string, filter: LedgerFilter): Promise<LedgerPage>;
}
