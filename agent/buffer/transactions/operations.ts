/** What the log's writer is asked to do, and what it answers. Every one of these can travel between threads. */

/** The vendors' scoping headers: kept with an event and sent on with it, never mixed in one call. */
export interface Scope {
  /** Zuora's entities and organisations. */
  readonly entityIds: string | null;
  readonly orgIds: string | null;
  /** Solvimon's platform. */
  readonly platformId: string | null;
}

export const NO_SCOPE: Scope = { entityIds: null, orgIds: null, platformId: null };

/** Why an event is in quarantine. */
export interface QuarantineReason {
  /** The destination's status, 400 for what the agent itself refused, 200 for a conflict. */
  readonly status: number;
  readonly code?: number | string;
  readonly message: string;
  readonly index?: number;
  readonly field?: string;
}

/** Event texts laid end to end with a comma between, so that any run of them is one slice. */
export interface EventRun {
  readonly body: Uint8Array;
  /** Offset just after each event. */
  readonly ends: Uint32Array;
}

export interface AppendOperation {
  readonly kind: "append";
  readonly stream: string;
  readonly scope: Scope;
  readonly receivedAt: number;
  readonly events: EventRun;
  /** Events that go to quarantine instead of the destination. */
  readonly faulty: readonly { readonly index: number; readonly reason: QuarantineReason }[];
  /** The request's idempotency key and a 16-byte hash of each event's content, laid end to end. */
  readonly idempotency: { readonly key: string; readonly hashes: Uint8Array; readonly ownIds: Uint8Array } | null;
  /** Take all or nothing: any conflict refuses the whole body. */
  readonly strict: boolean;
  /** How far a followed file has been read once these events are in. */
  readonly tail?: TailPosition;
}

/** How far a file was read that is followed. */
export interface TailPosition {
  /** The path that is followed; the file itself may have been renamed since. */
  readonly path: string;
  readonly inode: string;
  readonly offset: number;
  /** How many of its first bytes `head` is a hash of. */
  readonly headBytes: number;
  readonly head: string;
}

/** An event that its request's idempotency key brought before. */
export interface KnownEvent {
  readonly index: number;
  readonly position: number;
  readonly same: boolean;
  /** When the key first brought it. */
  readonly receivedAt: number;
}

export type AppendOutcome =
  /** On disk. Events that are not `known` have positions from `firstPosition` on, in order. */
  | { readonly kind: "durable"; readonly firstPosition: number; readonly known: readonly KnownEvent[] }
  /** Strict, and the key stood for other content, or events are faulty: nothing was taken. */
  | { readonly kind: "refused"; readonly known: readonly KnownEvent[] }
  /** No room: the buffer's own bound, or the disk's. */
  | { readonly kind: "full"; readonly bound: "buffer" | "disk" };

/** Takes a run of positions off the log: delivered, but for those that go to quarantine. */
export interface SettleOperation {
  readonly kind: "settle";
  readonly stream: string;
  readonly first: number;
  readonly count: number;
  readonly at: number;
  readonly quarantine: readonly { readonly position: number; readonly reason: QuarantineReason }[];
}

export type SettleOutcome = { readonly kind: "settled" } | { readonly kind: "full"; readonly bound: "disk" };

/** Keeps small facts: the fetched schemas, the producer's name. */
export interface RememberOperation {
  readonly kind: "remember";
  readonly facts: readonly (readonly [name: string, value: string])[];
}

/** Housekeeping: forgets what has been kept for longer than `retainMs` of the log's age, gives free pages back. */
export interface TidyOperation {
  readonly kind: "tidy";
  readonly retainMs: number;
}

export type TidyOutcome =
  /** `more`: there is still a good deal to give back. */
  { readonly kind: "tidied"; readonly more: boolean } | { readonly kind: "full"; readonly bound: "disk" };

/** The first pending events from `from` on and below `until`: one run of positions, one scope. */
export interface ReadOperation {
  readonly kind: "read";
  readonly stream: string;
  readonly from: number;
  readonly until: number;
  readonly bytesMax: number;
  readonly eventsMax: number;
}

export interface PendingRun {
  readonly first: number;
  readonly scope: Scope;
  readonly events: EventRun;
  /** When each event came in, in milliseconds since 1970. */
  readonly receivedAt: Float64Array;
}

export type ReadOutcome =
  | { readonly kind: "run"; readonly run: PendingRun }
  /** The bytes of these events are not those that were written: settle them into quarantine. */
  | { readonly kind: "damaged"; readonly first: number; readonly count: number }
  | { readonly kind: "nothing" };

export interface OldestOperation {
  readonly kind: "oldest";
}

export interface OldestOutcome {
  readonly kind: "oldest";
  readonly receivedAt: number | null;
}

/** Asks whether the files are whole and the counts true. */
export interface VerifyOperation {
  readonly kind: "verify";
}

export interface VerifyOutcome {
  readonly kind: "verified";
  /** What is wrong, in words; empty for a sound buffer. */
  readonly faults: readonly string[];
}

/** A shipment whose members and key are on disk, so that its repeat after a crash is the very same call. */
export interface FixedShipment {
  readonly first: number;
  readonly count: number;
  /** What its calls' idempotency keys are made of. */
  readonly key: string;
  /** So many of its first events went out in a call whose outcome was not written down. */
  readonly attempted: number;
}

/** Fixes shipments of a stream, in the place of the one that begins at `replaces`. */
export interface FixOperation {
  readonly kind: "fix";
  readonly stream: string;
  readonly replaces: number | null;
  readonly shipments: readonly FixedShipment[];
}

/** Notes how many of a fixed shipment's events may have gone out, before they do. */
export interface MarkOperation {
  readonly kind: "mark";
  readonly stream: string;
  readonly first: number;
  readonly attempted: number;
}

/** Asks for all shipments that are fixed and not settled. */
export interface FixedOperation {
  readonly kind: "fixed";
}

export interface FixedOutcome {
  readonly kind: "fixed";
  readonly shipments: readonly (FixedShipment & { readonly stream: string })[];
}

export type QuarantineState = "held" | "retried" | "discarded";

export interface QuarantinedEvent {
  readonly id: number;
  readonly stream: string;
  readonly position: number;
  readonly event: Uint8Array;
  readonly reason: QuarantineReason;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly state: QuarantineState;
  readonly discardReason: string | null;
}

/** Events in quarantine with an id above `after`, in order; of one state, or of any. */
export interface QuarantinedOperation {
  readonly kind: "quarantined";
  readonly state: QuarantineState | null;
  readonly after: number;
  readonly limit: number;
}

export interface QuarantinedOutcome {
  readonly kind: "quarantined";
  readonly events: readonly QuarantinedEvent[];
}

/** Lets a held event wait for the destination again, under its own position; `event` replaces its text. */
export interface RetryOperation {
  readonly kind: "retry";
  readonly id: number;
  readonly event: Uint8Array | null;
}

/** Gives a held event up, on record. */
export interface DiscardOperation {
  readonly kind: "discard";
  readonly id: number;
  readonly reason: string;
}

/** `stream`: the event was held in it, and is no longer. */
export type ReleaseOutcome =
  | { readonly kind: "released"; readonly stream: string; readonly position: number }
  | { readonly kind: "not-held" }
  | { readonly kind: "full"; readonly bound: "disk" };

/** Lets delivered positions wait again, as far as their events are still here: the edge folds what it has. */
export interface ResendOperation {
  readonly kind: "resend";
  readonly stream: string;
  readonly first: number;
  readonly last: number;
}

export type ResendOutcome =
  | { readonly kind: "resent"; readonly count: number }
  | { readonly kind: "full"; readonly bound: "disk" };

/** Where a stream's positions are that are not delivered; ends inclusive, in order. */
export interface PositionsOperation {
  readonly kind: "positions";
  readonly stream: string;
}

export interface PositionsOutcome {
  readonly kind: "positions";
  readonly pending: readonly (readonly [first: number, last: number])[];
  readonly withheld: readonly (readonly [first: number, last: number])[];
}

/** How far the files behind a followed path have been read. */
export interface TailsOperation {
  readonly kind: "tails";
  readonly path: string;
}

export interface TailsOutcome {
  readonly kind: "tails";
  readonly tails: readonly TailPosition[];
}

/** A followed file that is gone needs no remembering. */
export interface ForgetTailOperation {
  readonly kind: "forget-tail";
  readonly path: string;
  readonly inode: string;
}

export type WriteOperation =
  | AppendOperation
  | SettleOperation
  | RememberOperation
  | TidyOperation
  | FixOperation
  | MarkOperation
  | RetryOperation
  | DiscardOperation
  | ResendOperation
  | ForgetTailOperation;
export type Operation =
  | WriteOperation
  | ReadOperation
  | OldestOperation
  | VerifyOperation
  | FixedOperation
  | QuarantinedOperation
  | PositionsOperation
  | TailsOperation;

export interface OutcomeOf {
  append: AppendOutcome;
  settle: SettleOutcome;
  remember: SettleOutcome;
  tidy: TidyOutcome;
  read: ReadOutcome;
  oldest: OldestOutcome;
  verify: VerifyOutcome;
  fix: SettleOutcome;
  mark: SettleOutcome;
  fixed: FixedOutcome;
  quarantined: QuarantinedOutcome;
  retry: ReleaseOutcome;
  discard: ReleaseOutcome;
  resend: ResendOutcome;
  positions: PositionsOutcome;
  tails: TailsOutcome;
  "forget-tail": SettleOutcome;
}
export type Outcome = OutcomeOf[keyof OutcomeOf];

/** accepted = delivered + pending + quarantined + discarded, at any moment. */
export interface LedgerCounts {
  readonly accepted: number;
  readonly delivered: number;
  readonly pending: number;
  readonly quarantined: number;
  readonly discarded: number;
}

export interface StreamLedger extends LedgerCounts {
  readonly stream: string;
  /** The position the next event gets; positions start at 1. */
  readonly nextPosition: number;
  /** Bytes of pending event text. */
  readonly pendingBytes: number;
}

/** The answer to a group of operations: an outcome each, and the ledgers of the streams they touched. */
export interface GroupResult {
  readonly outcomes: readonly Outcome[];
  readonly ledgers: readonly StreamLedger[];
  readonly commits: number;
  /** False while the disk is full and the reserve given up: nothing new is taken in. */
  readonly reserveWhole: boolean;
}

const WRITES: ReadonlySet<string> = new Set<WriteOperation["kind"]>([
  ...(["append", "settle", "remember", "tidy", "fix", "mark", "retry", "discard", "resend", "forget-tail"] as const),
]);

export function isWrite(operation: Operation): operation is WriteOperation {
  return WRITES.has(operation.kind);
}
