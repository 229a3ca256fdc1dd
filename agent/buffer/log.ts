/**
 * The log as the rest of the agent sees it: asynchronous, committed in groups.
 *
 * A promise of `append` or `settle` resolves only after the commit returned. Whatever is asked while one
 * commit runs shares the next one, so many small requests cost few fsyncs. Ledgers are kept here as the
 * last commit left them and never run ahead of the disk.
 */

import type { SetAside } from "./disk/set-aside.ts";
import type { Engine } from "./engine.ts";
import { FACT } from "./tables/metadata.ts";
import type {
  AppendOperation,
  AppendOutcome,
  FixedOutcome,
  FixOperation,
  LedgerCounts,
  MarkOperation,
  Operation,
  Outcome,
  OutcomeOf,
  PositionsOutcome,
  QuarantinedEvent,
  QuarantinedOperation,
  ReadOperation,
  ReadOutcome,
  ReleaseOutcome,
  ResendOutcome,
  SettleOperation,
  SettleOutcome,
  StreamLedger,
  TailPosition,
  TidyOutcome,
} from "./transactions/operations.ts";

export interface Log {
  /** The name on the wire: positions belong to it, and a rebuilt buffer gets another. */
  readonly producer: string;
  append(operation: Omit<AppendOperation, "kind">): Promise<AppendOutcome>;
  settle(operation: Omit<SettleOperation, "kind">): Promise<SettleOutcome>;
  read(operation: Omit<ReadOperation, "kind">): Promise<ReadOutcome>;
  /** Fixes shipments on disk, in the place of one that is given up. */
  fix(operation: Omit<FixOperation, "kind">): Promise<SettleOutcome>;
  mark(operation: Omit<MarkOperation, "kind">): Promise<SettleOutcome>;
  /** The shipments that were fixed and are not settled yet. */
  fixed(): Promise<FixedOutcome["shipments"]>;
  remember(facts: readonly (readonly [string, string])[]): Promise<SettleOutcome>;
  recall(name: string): string | null;
  tidy(retainMs: number): Promise<TidyOutcome>;
  /** When the oldest pending event came in, or null. */
  oldest(): Promise<number | null>;
  /** What is wrong with the buffer's files or counts; empty for a sound one. */
  verify(): Promise<readonly string[]>;
  quarantined(operation: Omit<QuarantinedOperation, "kind">): Promise<readonly QuarantinedEvent[]>;
  retry(id: number, event: Uint8Array | null): Promise<ReleaseOutcome>;
  discard(id: number, reason: string): Promise<ReleaseOutcome>;
  /** Lets delivered positions wait again, as far as their events are retained. */
  resend(stream: string, first: number, last: number): Promise<ResendOutcome>;
  positions(stream: string): Promise<PositionsOutcome>;
  tails(path: string): Promise<readonly TailPosition[]>;
  forgetTail(path: string, inode: string): Promise<SettleOutcome>;
  /** The damaged log in whose place this one was begun. */
  readonly setAside: SetAside | null;
  /** False while the disk is full and the reserve given up. */
  readonly reserveWhole: boolean;
  /** Calls back when the writer failed: nothing it had in hand is durable, and it cannot go on. */
  onFault(listener: (error: unknown) => void): void;
  streams(): Iterable<StreamLedger>;
  stream(name: string): StreamLedger | null;
  ledger(): LedgerCounts;
  readonly commits: number;
  /** Calls back after every commit that changed a stream, with its name. */
  onChange(listener: (stream: string) => void): void;
  /** Waits for what was asked, then lets go of the buffer. */
  close(): Promise<void>;
}

export interface LogOptions {
  /** The configured name; null takes the buffer's, or makes one. */
  readonly id: string | null;
  /** A random integer in [0, below). */
  readonly randomInt: (below: number) => number;
}

export type OpenedLog =
  | { readonly kind: "open"; readonly log: Log }
  /** The buffer holds another producer's events, whose positions belong to that name. */
  | { readonly kind: "other-id"; readonly id: string };

/** A group's bounds: beyond them the rest waits for the next commit, so that none takes long. */
const GROUP_OPERATIONS_MAX = 1000;
const GROUP_BYTES_MAX = 4 * 1024 * 1024;

const ALPHANUMERICS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** `length` random characters of A-Za-z0-9. */
export function randomName(length: number, randomInt: (below: number) => number): string {
  return Array.from({ length }, () => ALPHANUMERICS.charAt(randomInt(ALPHANUMERICS.length))).join("");
}

/** Takes an engine into use: settles the producer's name, which outlives every restart. */
export async function openLog(engine: Engine, options: LogOptions): Promise<OpenedLog> {
  const facts = new Map(engine.state.facts);
  const kept = facts.get(FACT.id);
  const untouched = engine.state.ledgers.every((ledger) => ledger.accepted === 0);
  if (kept !== undefined && options.id !== null && kept !== options.id && !untouched) {
    return { kind: "other-id", id: kept };
  }
  const made = new Map(facts);
  made.set(FACT.id, options.id ?? kept ?? `agent-${randomName(8, options.randomInt)}`);
  if (!made.has(FACT.log)) made.set(FACT.log, randomName(8, options.randomInt));
  if (made.get(FACT.id) !== kept || !facts.has(FACT.log)) await engine.run([{ kind: "remember", facts: [...made] }]);
  return { kind: "open", log: createLog(engine, made) };
}

interface Asked {
  readonly operation: Operation;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

function createLog(engine: Engine, facts: Map<string, string>): Log {
  const ledgers = new Map(engine.state.ledgers.map((ledger) => [ledger.stream, ledger]));
  const listeners: ((stream: string) => void)[] = [];
  const faultListeners: ((error: unknown) => void)[] = [];
  let reserveWhole = true;
  let queue: Asked[] = [];
  let running: Promise<void> | null = null;
  let commits = 0;

  const runGroup = async (group: readonly Asked[]): Promise<void> => {
    try {
      const result = await engine.run(group.map((asked) => asked.operation));
      commits += result.commits;
      reserveWhole = result.reserveWhole;
      for (const ledger of result.ledgers) ledgers.set(ledger.stream, ledger);
      for (const [index, asked] of group.entries()) {
        const outcome = result.outcomes[index];
        if (outcome === undefined) asked.reject(new RangeError("the log's writer answered too little"));
        else asked.resolve(outcome);
      }
      for (const { stream } of result.ledgers) for (const listener of listeners) listener(stream);
    } catch (error) {
      for (const asked of group) asked.reject(error);
      for (const listener of faultListeners) listener(error);
    }
  };

  const drain = async (): Promise<void> => {
    // One turn of the loop, so that requests read in the same turn share the first commit too.
    await new Promise((resolve) => setImmediate(resolve));
    while (queue.length > 0) {
      const size = groupSize(queue);
      const group = queue.slice(0, size);
      queue = queue.slice(size);
      await runGroup(group);
    }
    running = null;
  };

  const ask = <K extends keyof OutcomeOf>(operation: Operation & { kind: K }): Promise<OutcomeOf[K]> =>
    new Promise((resolve, reject) => {
      // The writer answers each kind of operation with that kind's outcome, see OutcomeOf.
      queue.push({ operation, resolve: resolve as (outcome: Outcome) => void, reject });
      running ??= drain();
    });

  return {
    producer: `${facts.get(FACT.id)}.${facts.get(FACT.log)}`,
    append: (operation) => ask({ kind: "append", ...operation }),
    settle: (operation) => ask({ kind: "settle", ...operation }),
    read: (operation) => ask({ kind: "read", ...operation }),
    fix: (operation) => ask({ kind: "fix", ...operation }),
    mark: (operation) => ask({ kind: "mark", ...operation }),
    fixed: async () => (await ask({ kind: "fixed" })).shipments,
    async remember(pairs) {
      const outcome = await ask({ kind: "remember", facts: pairs });
      if (outcome.kind === "settled") for (const [name, value] of pairs) facts.set(name, value);
      return outcome;
    },
    recall: (name) => facts.get(name) ?? null,
    tidy: (retainMs) => ask({ kind: "tidy", retainMs }),
    oldest: async () => (await ask({ kind: "oldest" })).receivedAt,
    verify: async () => (await ask({ kind: "verify" })).faults,
    quarantined: async (operation) => (await ask({ kind: "quarantined", ...operation })).events,
    retry: (id, event) => ask({ kind: "retry", id, event }),
    discard: (id, reason) => ask({ kind: "discard", id, reason }),
    resend: (stream, first, last) => ask({ kind: "resend", stream, first, last }),
    positions: (stream) => ask({ kind: "positions", stream }),
    tails: async (path) => (await ask({ kind: "tails", path })).tails,
    forgetTail: (path, inode) => ask({ kind: "forget-tail", path, inode }),
    setAside: engine.state.setAside,
    get reserveWhole() {
      return reserveWhole;
    },
    onFault: (listener) => void faultListeners.push(listener),
    streams: () => ledgers.values(),
    stream: (name) => ledgers.get(name) ?? null,
    ledger: () => sumLedgers(ledgers.values()),
    get commits() {
      return commits;
    },
    onChange: (listener) => void listeners.push(listener),
    async close() {
      while (running !== null) await running;
      await engine.close();
    },
  };
}

function groupSize(queue: readonly Asked[]): number {
  let bytes = 0;
  for (const [index, { operation }] of queue.entries()) {
    bytes += operation.kind === "append" ? operation.events.body.length : 0;
    if (index > 0 && (bytes > GROUP_BYTES_MAX || index >= GROUP_OPERATIONS_MAX)) return index;
  }
  return queue.length;
}

/** The counts of several streams as one. */
export function sumLedgers(ledgers: Iterable<LedgerCounts>): LedgerCounts {
  const sum = { accepted: 0, delivered: 0, pending: 0, quarantined: 0, discarded: 0 };
  for (const ledger of ledgers) {
    sum.accepted += ledger.accepted;
    sum.delivered += ledger.delivered;
    sum.pending += ledger.pending;
    sum.quarantined += ledger.quarantined;
    sum.discarded += ledger.discarded;
  }
  return sum;
}
