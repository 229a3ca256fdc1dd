/**
 * The buffer: one SQLite database, one writer.
 *
 * Durable: when `run` returns, every write in the group is in the WAL and fsynced (synchronous=FULL), or none is.
 * A crash leaves a whole number of groups: events, positions, quarantine, idempotency keys, tail offsets and ledger
 * move together. A full disk costs appends first; the reserve is spent for what makes room and for reporting.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PRODUCER_PATTERN } from "../../shared/wire.ts";
import { openCommitCount } from "./disk/commit-count.ts";
import { closeDatabase, isDamage, isDiskFull, markSuspect } from "./disk/database.ts";
import { replaceFile } from "./disk/directory.ts";
import { createGiveBack } from "./disk/give-back.ts";
import { type Opened, openBuffer } from "./disk/opening.ts";
import { createRoom } from "./disk/room.ts";
import type { SetAside } from "./disk/set-aside.ts";
import { verify } from "./disk/verify.ts";
import { openAge } from "./tables/age.ts";
import { createBatchTable } from "./tables/batches.ts";
import { createKeyMemory } from "./tables/keys.ts";
import { FACT, readFacts, writeFacts } from "./tables/metadata.ts";
import { createQuarantineTable } from "./tables/quarantine.ts";
import { createRetention } from "./tables/retained.ts";
import { createShipmentTable } from "./tables/shipments.ts";
import { createStreamTable } from "./tables/streams.ts";
import { createTailTable } from "./tables/tails.ts";
import { append } from "./transactions/append.ts";
import {
  type AppendOutcome,
  type GroupResult,
  isWrite,
  type Operation,
  type Outcome,
  type StreamLedger,
  type WriteOperation,
} from "./transactions/operations.ts";
import { read } from "./transactions/read.ts";
import { discard, positions, resend, retry } from "./transactions/release.ts";
import { settle } from "./transactions/settle.ts";

/** Moments at which a test may stop the writer as a crash would. */
export const CRASH_POINTS = ["opened", "before-commit", "after-commit", "before-give-back", "before-close"] as const;
export type CrashPoint = (typeof CRASH_POINTS)[number];

export interface StoreOptions {
  readonly directory: string;
  /** Bound of the buffer directory's files, in bytes. */
  readonly bytesMax: number;
  readonly at?: (point: CrashPoint) => void;
  /** Milliseconds that never jump; the thread's own where none is given. */
  readonly tick?: () => number;
}

export interface StoreState {
  readonly facts: ReadonlyMap<string, string>;
  readonly ledgers: readonly StreamLedger[];
  /** The damaged log that lay here; this one is new. */
  readonly setAside: SetAside | null;
}

export interface Store {
  /** What the buffer held when it was opened. */
  readonly state: StoreState;
  /** Does a group of operations: its writes in one transaction, then its reads. */
  run(group: readonly Operation[]): GroupResult;
  close(): void;
}

/**
 * Opens the buffer, making it if there is none, setting aside one that is damaged.
 * @throws AgentError BUFFER_HELD, BUFFER_NEWER or BUFFER_BROKEN.
 */
export function openStore(options: StoreOptions): Store {
  const { directory, bytesMax } = options;
  const tick = options.tick ?? (() => performance.now());
  const opened = openBuffer(directory, bytesMax, { now: () => Date.now(), tick });
  options.at?.("opened");
  try {
    return createStore(opened, options);
  } catch (error) {
    opened.db.close();
    opened.release();
    throw error;
  }
}

function createStore({ db, bounds, reserve, setAside, release }: Opened, options: StoreOptions): Store {
  const { directory } = options;
  const batches = createBatchTable(db);
  const age = openAge(db, options.tick ?? (() => performance.now()));
  const retention = createRetention(db, bounds.retainedBytes, age);
  const tables = {
    streams: createStreamTable(db),
    batches,
    retention,
    quarantine: createQuarantineTable(db),
    keys: createKeyMemory(db, age),
    tails: createTailTable(db),
    shipments: createShipmentTable(db),
  };
  const at = options.at ?? (() => {});
  const giveBack = createGiveBack(db, bounds.checkpointBytes);
  const room = createRoom(db, directory, bounds);
  const commits = openCommitCount(directory, db);

  const take = (operation: WriteOperation & { kind: "append" }): Outcome => {
    if (!reserve.whole) return fullDisk;
    const { wanting } = room.take(operation);
    if (wanting === 0) return append(tables, operation);
    // What is only kept for an audit gives way to what has to be kept.
    if (!retention.yieldBytes(wanting)) return { kind: "full", bound: "buffer" };
    room.measure();
    return room.take(operation).wanting === 0 ? append(tables, operation) : { kind: "full", bound: "buffer" };
  };

  const write = (operation: WriteOperation): Outcome => {
    switch (operation.kind) {
      case "append":
        return take(operation);
      case "settle":
        settle(tables, operation, reserve.whole);
        break;
      case "fix":
        tables.shipments.fix(tables.streams.open(operation.stream).id, operation);
        break;
      case "mark":
        tables.shipments.mark(tables.streams.open(operation.stream).id, operation.first, operation.attempted);
        break;
      case "remember":
        writeFacts(db, operation.facts);
        break;
      case "tidy": {
        const before = age.now() - operation.retainMs;
        tables.keys.forget(before);
        retention.forget(before);
        age.keep();
        return { kind: "tidied", more: false };
      }
      case "retry":
        return retry(tables, operation);
      case "discard":
        return discard(tables, operation.id, operation.reason);
      case "resend":
        return { kind: "resent", count: resend(tables, operation) };
      case "forget-tail":
        tables.tails.forget(operation.path, operation.inode);
    }
    return { kind: "settled" };
  };

  const transact = (operations: readonly WriteOperation[]): Outcome[] => {
    room.emptyFullLog();
    db.exec("BEGIN IMMEDIATE");
    try {
      room.measure();
      const outcomes = operations.map(write);
      commits.count();
      at("before-commit");
      db.exec("COMMIT");
      commits.tell();
      at("after-commit");
      return outcomes;
    } catch (error) {
      if (db.isTransaction) db.exec("ROLLBACK");
      retention.recount();
      throw error;
    }
  };

  const look = (operation: Exclude<Operation, WriteOperation>): Outcome => {
    switch (operation.kind) {
      case "read":
        return read(tables, operation);
      case "oldest":
        return { kind: "oldest", receivedAt: batches.oldest() };
      case "verify":
        return { kind: "verified", faults: verify(db) };
      case "quarantined": {
        const { state, after, limit } = operation;
        return { kind: "quarantined", events: tables.quarantine.list(state, after, limit) };
      }
      case "positions":
        return positions(tables, operation.stream);
      case "fixed":
        return { kind: "fixed", shipments: tables.shipments.all() };
      case "tails":
        return { kind: "tails", tails: tables.tails.of(operation.path) };
    }
  };

  const tidied = (): Outcome => {
    at("before-give-back");
    return { kind: "tidied", more: giveBack() };
  };

  const runGroup = (group: readonly Operation[]): GroupResult => {
    if (!reserve.whole) {
      // Free pages inside the file are room for the reserve as well, once the disk has them back.
      giveBack();
      reserve.restore();
    }
    const writes = group.filter(isWrite);
    const { outcomes: written, commits } = writeGroup(writes, transact, reserve.spend);
    const outcomes = group.map((operation): Outcome => {
      if (!isWrite(operation)) return look(operation);
      if (operation.kind === "tidy" && commits > 0) return tidied();
      return written.get(operation) ?? fullDisk;
    });
    const touched = new Set(writes.flatMap((operation) => ("stream" in operation ? [operation.stream] : [])));
    for (const outcome of outcomes) if (outcome.kind === "released") touched.add(outcome.stream);
    const ledgers = [...touched].flatMap((name) => tables.streams.ledger(name) ?? []);
    return { outcomes, ledgers, commits, reserveWhole: reserve.whole };
  };

  return {
    state: { facts: factsWithName(directory, readFacts(db)), ledgers: tables.streams.all(), setAside },
    run(group) {
      try {
        const result = runGroup(group);
        keepName(directory, group);
        return result;
      } catch (error) {
        // The next opening looks at the whole file, however large.
        if (isDamage(error)) markSuspect(directory);
        throw error;
      }
    },
    close() {
      at("before-close");
      closeDatabase(db);
      commits.close();
      release();
    },
  };
}

const NAME_FILE = "name";

/** A name that was made up belongs to the directory: a new log in it goes on under the same one. */
function factsWithName(directory: string, facts: Map<string, string>): Map<string, string> {
  if (facts.has(FACT.id)) return facts;
  try {
    const name = readFileSync(join(directory, NAME_FILE), "utf8");
    // Earlier versions did not sync it: a power cut may have left an empty one.
    if (PRODUCER_PATTERN.test(name)) facts.set(FACT.id, name);
  } catch {
    // None was made yet.
  }
  return facts;
}

function keepName(directory: string, group: readonly Operation[]): void {
  for (const operation of group) {
    if (operation.kind !== "remember") continue;
    const id = operation.facts.find(([name]) => name === FACT.id)?.[1];
    if (id === undefined) continue;
    try {
      replaceFile(join(directory, NAME_FILE), id);
    } catch {
      // A convenience only: without it a log that replaces a damaged one makes up a new name.
    }
  }
}

const fullDisk: AppendOutcome & { kind: "full"; bound: "disk" } = { kind: "full", bound: "disk" };

interface Written {
  readonly outcomes: ReadonlyMap<Operation, Outcome>;
  readonly commits: number;
}

/**
 * All in one transaction; when the disk is full, what is no append once more without the appends, since marking
 * events delivered is what makes room; and where even that finds none, with the reserve given up.
 */
function writeGroup(
  writes: readonly WriteOperation[],
  transact: (operations: readonly WriteOperation[]) => Outcome[],
  spendReserve: () => boolean,
): Written {
  const others = writes.filter((operation) => operation.kind !== "append");
  let operations = writes;
  while (operations.length > 0) {
    try {
      const outcomes = transact(operations);
      const pairs = operations.map((operation, index): [Operation, Outcome] => [
        operation,
        outcomes[index] ?? fullDisk,
      ]);
      return { outcomes: new Map(pairs), commits: 1 };
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      if (operations.length === others.length && !spendReserve()) break;
      operations = others;
    }
  }
  return { outcomes: new Map(), commits: 0 };
}
