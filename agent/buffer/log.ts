/**
 * The log as the rest of the agent sees it: asynchronous, committed in groups.
 *
 * A promise of an operation resolves only after the commit returned. Whatever is asked while one commit runs shares
 * the next one, so many small requests cost few fsyncs. Ledgers are kept here as the last commit left them and never
 * run ahead of the disk.
 */
import { ALPHANUMERICS } from "../../shared/random-text.ts";
import type { SetAside } from "./disk/set-aside.ts";
import type { Engine } from "./engine.ts";
import { type Gathered, gather, outcomesOf } from "./gather.ts";
import { METADATA } from "./tables/metadata.ts";
import type { LedgerCounts, StreamLedger } from "./tables/streams.ts";
import {
  type InputOf,
  OPERATIONS,
  type Operation,
  type OperationKind,
  type Outcome,
  type OutcomeOf,
  REOPENING,
} from "./transactions/operations.ts";
import type { Rejected } from "./transactions/settle.ts";

/** A method for each operation: takes its input, resolves to its outcome. */
type LogOperations = {
  readonly [K in OperationKind]: (
    ...input: keyof InputOf<K> extends never ? [] : [InputOf<K>]
  ) => Promise<OutcomeOf<K>>;
};

export interface Log extends LogOperations {
  /** The name on the wire: positions belong to it, and a rebuilt buffer gets another. */
  readonly producer: string;
  /** What was remembered under a name; null where nothing was. */
  recall(name: string): string | null;
  /** The damaged log in whose place this one was begun. */
  readonly setAside: SetAside | null;
  /** False while the disk is full and the reserve given up. */
  readonly reserveWhole: boolean;
  /** Calls back when the writer failed: nothing it had in hand is durable, and it cannot go on. */
  onFatal(listener: (error: unknown) => void): void;
  streams(): Iterable<StreamLedger>;
  stream(name: string): StreamLedger | null;
  ledger(): LedgerCounts;
  readonly commits: number;
  /** Calls back after every commit that changed a stream, with its name, and whether what waits has changed below what came last. */
  onChange(listener: (stream: string, isReopened: boolean) => void): void;
  /** Calls back once events that the destination refused are in quarantine. */
  onRejected(listener: (stream: string, rejected: readonly Rejected[]) => void): void;
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

/** `length` random characters of A-Za-z0-9. */
export function randomName(length: number, randomInt: (below: number) => number): string {
  return Array.from({ length }, () => ALPHANUMERICS.charAt(randomInt(ALPHANUMERICS.length))).join("");
}

/** Takes an engine into use: settles the producer's name, which outlives every restart. */
export async function openLog(engine: Engine, options: LogOptions): Promise<OpenedLog> {
  const known = engine.state.metadata;
  const kept = known.get(METADATA.id);
  const untouched = engine.state.ledgers.every((ledger) => ledger.accepted === 0);
  if (kept !== undefined && options.id !== null && kept !== options.id && !untouched) {
    return { kind: "other-id", id: kept };
  }
  const metadata = new Map(known);
  metadata.set(METADATA.id, options.id ?? kept ?? `agent-${randomName(8, options.randomInt)}`);
  if (!metadata.has(METADATA.log)) metadata.set(METADATA.log, randomName(8, options.randomInt));
  if (metadata.get(METADATA.id) !== kept || !known.has(METADATA.log)) {
    await engine.run([{ kind: "remember", metadata: [...metadata] }]);
  }
  return { kind: "open", log: createLog(engine, metadata) };
}

interface Asked {
  readonly operation: Operation;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

function createLog(engine: Engine, metadata: Map<string, string>): Log {
  const ledgers = new Map(engine.state.ledgers.map((ledger) => [ledger.stream, ledger]));
  const listeners: ((stream: string, isReopened: boolean) => void)[] = [];
  const rejectedListeners: ((stream: string, rejected: readonly Rejected[]) => void)[] = [];
  const fatalListeners: ((error: unknown) => void)[] = [];
  let reserveWhole = true;
  let queue: Asked[] = [];
  let running: Promise<void> | null = null;
  let commits = 0;

  const tellRejected = (operation: Operation, outcome: Outcome | undefined): void => {
    if (operation.kind !== "settle" || operation.quarantine.length === 0) return;
    if ((outcome as OutcomeOf<"settle"> | undefined)?.kind !== "settled") return;
    for (const listener of rejectedListeners) listener(operation.stream, operation.quarantine);
  };

  const answer = (gathered: Gathered<Asked>, outcome: Outcome | undefined): void => {
    const outcomes = outcome === undefined ? [] : outcomesOf(gathered, outcome);
    for (const [index, asked] of gathered.of.entries()) {
      const own = outcomes[index];
      if (own === undefined) asked.reject(new RangeError("the log's writer answered too little"));
      else asked.resolve(own);
      tellRejected(asked.operation, own);
    }
  };

  const runGroup = async (group: readonly Asked[]): Promise<void> => {
    try {
      const gathered = gather(group);
      const result = await engine.run(gathered.map(({ operation }) => operation));
      commits += result.commits;
      reserveWhole = result.reserveWhole;
      for (const ledger of result.ledgers) ledgers.set(ledger.stream, ledger);
      for (const [index, one] of gathered.entries()) answer(one, result.outcomes[index]);
      const isReopened = group.some(({ operation }) => REOPENING.has(operation.kind));
      for (const { stream } of result.ledgers) for (const listener of listeners) listener(stream, isReopened);
    } catch (error) {
      for (const asked of group) asked.reject(error);
      for (const listener of fatalListeners) listener(error);
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

  const ask = (operation: Operation): Promise<Outcome> =>
    new Promise((resolve, reject) => {
      queue.push({ operation, resolve, reject });
      running ??= drain();
    });
  const operations = operationsThrough(ask);

  return {
    ...operations,
    producer: `${metadata.get(METADATA.id)}.${metadata.get(METADATA.log)}`,
    async remember(input) {
      const outcome = await operations.remember(input);
      if (outcome.kind === "settled") for (const [name, value] of input.metadata) metadata.set(name, value);
      return outcome;
    },
    recall: (name) => metadata.get(name) ?? null,
    setAside: engine.state.setAside,
    get reserveWhole() {
      return reserveWhole;
    },
    onFatal: (listener) => void fatalListeners.push(listener),
    streams: () => ledgers.values(),
    stream: (name) => ledgers.get(name) ?? null,
    ledger: () => sumLedgers(ledgers.values()),
    get commits() {
      return commits;
    },
    onChange: (listener) => void listeners.push(listener),
    onRejected: (listener) => void rejectedListeners.push(listener),
    async close() {
      while (running !== null) await running;
      await engine.close();
    },
  };
}

function operationsThrough(ask: (operation: Operation) => Promise<Outcome>): LogOperations {
  const methods = Object.keys(OPERATIONS).map((kind) => [
    kind,
    (input?: object) => ask({ ...input, kind } as Operation),
  ]);
  // Each method is made of its name alone; the writer answers it with that operation's outcome.
  return Object.fromEntries(methods) as LogOperations;
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
