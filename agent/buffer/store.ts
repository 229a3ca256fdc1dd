/**
 * The buffer: one SQLite database, one writer.
 *
 * Durable: when `run` returns, every write in the group is in the WAL and fsynced (synchronous=FULL), or none is.
 * A crash leaves a whole number of groups: events, positions, quarantine, idempotency keys and ledger move
 * together. The exclusive lock is the database's own, so it ends with its process, however that ends.
 */
import type { DatabaseSync } from "node:sqlite";
import { append } from "./append.ts";
import { createBatchTable } from "./batch-table.ts";
import { isDiskFull, openDatabase } from "./database.ts";
import { readFacts, writeFacts } from "./facts.ts";
import { createGiveBack } from "./give-back.ts";
import { createKeyMemory } from "./key-memory.ts";
import {
  type AppendOutcome,
  type GroupResult,
  isWrite,
  type Operation,
  type Outcome,
  type StreamLedger,
  type WriteOperation,
} from "./operations.ts";
import { createQuarantineTable } from "./quarantine-table.ts";
import { read } from "./read.ts";
import { createRoom } from "./room.ts";
import { settle } from "./settle.ts";
import { createShipmentTable } from "./shipment-table.ts";
import { createStreamTable } from "./stream-table.ts";
import { verify } from "./verify.ts";

/** Moments at which a test may stop the writer as a crash would. */
export type CrashPoint = "before-commit" | "after-commit";

export interface StoreOptions {
  readonly directory: string;
  /** Bound of the buffer directory's files, in bytes. */
  readonly bytesMax: number;
  readonly at?: (point: CrashPoint) => void;
}

export interface StoreState {
  readonly facts: ReadonlyMap<string, string>;
  readonly ledgers: readonly StreamLedger[];
}

export interface Store {
  /** What the buffer held when it was opened. */
  readonly state: StoreState;
  /** Does a group of operations: its writes in one transaction, then its reads. */
  run(group: readonly Operation[]): GroupResult;
  close(): void;
}

/**
 * Opens the buffer, making it if there is none.
 * @throws AgentFault BUFFER_HELD, BUFFER_FOREIGN or BUFFER_BROKEN.
 */
export function openStore(options: StoreOptions): Store {
  return createStore(openDatabase(options.directory), options);
}

function createStore(db: DatabaseSync, options: StoreOptions): Store {
  const streams = createStreamTable(db);
  const batches = createBatchTable(db);
  const shipments = createShipmentTable(db);
  const tables = { streams, batches, shipments, quarantine: createQuarantineTable(db), keys: createKeyMemory(db) };
  const at = options.at ?? (() => {});
  const giveBack = createGiveBack(db);
  const room = createRoom(db, options.directory, options.bytesMax);

  const write = (operation: WriteOperation): Outcome => {
    switch (operation.kind) {
      case "append":
        return room.take(operation) ? append(tables, operation) : { kind: "full", bound: "buffer" };
      case "settle":
        settle(tables, operation);
        break;
      case "fix":
        shipments.fix(streams.open(operation.stream).id, operation);
        break;
      case "mark":
        shipments.mark(streams.open(operation.stream).id, operation.first, operation.attempted);
        break;
      case "remember":
        writeFacts(db, operation.facts);
        break;
      case "tidy":
        tables.keys.forget(operation.keysBefore);
        return { kind: "tidied", more: false };
    }
    return { kind: "settled" };
  };

  const transact = (operations: readonly WriteOperation[]): Outcome[] => {
    db.exec("BEGIN IMMEDIATE");
    try {
      room.measure();
      const outcomes = operations.map(write);
      at("before-commit");
      db.exec("COMMIT");
      at("after-commit");
      return outcomes;
    } catch (error) {
      if (db.isTransaction) db.exec("ROLLBACK");
      throw error;
    }
  };

  return {
    state: { facts: readFacts(db), ledgers: streams.all() },
    run(group) {
      const writes = group.filter(isWrite);
      const { outcomes: written, commits } = writeGroup(writes, transact);
      const outcomes = group.map((operation): Outcome => {
        if (operation.kind === "read") return read(tables, operation);
        if (operation.kind === "oldest") return { kind: "oldest", receivedAt: batches.oldest() };
        if (operation.kind === "fixed") return { kind: "fixed", shipments: shipments.all() };
        if (operation.kind === "verify") return { kind: "verified", faults: verify(db) };
        if (operation.kind === "tidy" && commits > 0) return { kind: "tidied", more: giveBack() };
        return written.get(operation) ?? fullOutcome;
      });
      const touched = new Set(writes.flatMap((operation) => ("stream" in operation ? [operation.stream] : [])));
      const ledgers = [...touched].flatMap((name) => streams.ledger(name) ?? []);
      return { outcomes, ledgers, commits };
    },
    close: () => db.close(),
  };
}

const fullOutcome: AppendOutcome & { kind: "full" } = { kind: "full", bound: "disk" };

interface Written {
  readonly outcomes: ReadonlyMap<Operation, Outcome>;
  readonly commits: number;
}

/**
 * All in one transaction; when the disk is full, what needs no new room once more without the appends, since
 * marking events delivered is what makes room.
 */
function writeGroup(
  writes: readonly WriteOperation[],
  transact: (operations: readonly WriteOperation[]) => Outcome[],
): Written {
  const attempts = [writes, writes.filter((operation) => operation.kind !== "append")];
  for (const operations of attempts) {
    if (operations.length === 0) break;
    try {
      const outcomes = transact(operations);
      const pairs = operations.map((operation, index): [Operation, Outcome] => [
        operation,
        outcomes[index] ?? fullOutcome,
      ]);
      return { outcomes: new Map(pairs), commits: 1 };
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      if (operations.length === attempts[1]?.length) break;
    }
  }
  return { outcomes: new Map(), commits: 0 };
}
