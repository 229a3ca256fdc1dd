/** The store: one database, one writer, a group of operations at a time. What it promises stands in buffer.ts. */
import { openCommitCount } from "./disk/commit-count.ts";
import { closeDatabase, isDamage, markSuspect } from "./disk/database.ts";
import { createGiveBack } from "./disk/give-back.ts";
import { keepName, readName } from "./disk/name-file.ts";
import { type OpenedDirectory, openDirectory } from "./disk/opening.ts";
import { createRoom } from "./disk/room.ts";
import type { SetAside } from "./disk/set-aside.ts";
import { openAge } from "./tables/age.ts";
import { createBatchTable } from "./tables/batches.ts";
import { createBodyTable } from "./tables/bodies.ts";
import { createKeyTable } from "./tables/keys.ts";
import { METADATA, metadataWriter, readMetadata } from "./tables/metadata.ts";
import { createQuarantineTable } from "./tables/quarantine.ts";
import { createRetainedTable } from "./tables/retained.ts";
import { createShipmentTable } from "./tables/shipments.ts";
import { createStreamTable, type StreamLedger } from "./tables/streams.ts";
import { createTailTable } from "./tables/tails.ts";
import type { Context } from "./transactions/context.ts";
import { FULL_DISK, isWrite, type Written, writeGroup } from "./transactions/group.ts";
import { OPERATIONS, type Operation, type Outcome } from "./transactions/operations.ts";

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
  readonly metadata: ReadonlyMap<string, string>;
  readonly ledgers: readonly StreamLedger[];
  /** The damaged log that lay here; this one is new. */
  readonly setAside: SetAside | null;
}

/** The answer to a group of operations: an outcome each, and the ledgers of the streams they touched. */
export interface GroupResult<G extends readonly Operation[] = readonly Operation[]> {
  readonly outcomes: { readonly [I in keyof G]: Outcome<G[I]> };
  readonly ledgers: readonly StreamLedger[];
  readonly commits: number;
  /** False while the disk is full and the reserve given up: nothing new is taken in. */
  readonly reserveWhole: boolean;
}

export interface Store {
  /** What the buffer held when it was opened. */
  readonly state: StoreState;
  /** Does a group of operations: its writes in one transaction, then its reads. */
  run<const G extends readonly Operation[]>(group: G): GroupResult<G>;
  close(): void;
}

/**
 * Opens the buffer, making it if there is none, setting aside one that is damaged.
 * @throws AgentError BUFFER_HELD, BUFFER_NEWER, BUFFER_UNSAFE or BUFFER_BROKEN.
 */
export function openStore(options: StoreOptions): Store {
  const tick = options.tick ?? (() => performance.now());
  const at = options.at ?? (() => {});
  const opened = openDirectory(options.directory, options.bytesMax, { now: () => Date.now(), tick });
  at("opened");
  try {
    return createStore(opened, options.directory, at, tick);
  } catch (error) {
    opened.db.close();
    opened.release();
    throw error;
  }
}

function createStore(
  opened: OpenedDirectory,
  directory: string,
  at: (point: CrashPoint) => void,
  tick: () => number,
): Store {
  const { db, bounds, reserve } = opened;
  const giveBack = createGiveBack(db, bounds.checkpointBytes);
  const context = createContext(opened, directory, tick, () => {
    at("before-give-back");
    return giveBack();
  });
  const commits = openCommitCount(directory, db);

  const transact = (operations: readonly Operation[]): Written => {
    context.room.emptyFullLog();
    db.exec("BEGIN IMMEDIATE");
    try {
      context.room.measure();
      const outcomes = new Map(operations.map((operation) => [operation, run(context, operation)]));
      commits.count();
      at("before-commit");
      db.exec("COMMIT");
      context.bodies.committed();
      commits.report();
      at("after-commit");
      return outcomes;
    } catch (error) {
      if (db.isTransaction) db.exec("ROLLBACK");
      context.retained.recount();
      context.bodies.rolledBack();
      throw error;
    }
  };

  const runGroup = (group: readonly Operation[]): GroupResult => {
    if (!reserve.whole) {
      // Free pages inside the file are room for the reserve as well, once the disk has them back.
      giveBack();
      reserve.restore();
    }
    const writes = group.filter(isWrite);
    const written = writeGroup(writes, transact, reserve.spend);
    const outcomes = group.map((operation) => {
      if (!isWrite(operation)) return run(context, operation);
      const outcome = written.get(operation);
      return outcome === undefined ? FULL_DISK : (committed(context, operation) ?? outcome);
    });
    const touched = new Set([...writes, ...outcomes].flatMap(streamOf));
    const ledgers = [...touched].flatMap((name) => context.streams.ledger(name) ?? []);
    return { outcomes, ledgers, commits: written.size > 0 ? 1 : 0, reserveWhole: reserve.whole };
  };

  return {
    state: {
      metadata: metadataWithName(directory, readMetadata(db)),
      ledgers: context.streams.all(),
      setAside: opened.setAside,
    },
    run<const G extends readonly Operation[]>(group: G) {
      try {
        const result = runGroup(group);
        for (const name of namesIn(group)) keepName(directory, name);
        // An outcome is of its operation's kind: `run` calls the function that the map has under that name.
        return result as GroupResult<G>;
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
      opened.release();
    },
  };
}

function createContext(
  { db, bounds, reserve }: OpenedDirectory,
  directory: string,
  tick: () => number,
  giveBack: () => boolean,
): Context {
  const age = openAge(db, tick);
  return {
    db,
    streams: createStreamTable(db),
    batches: createBatchTable(db),
    retained: createRetainedTable(db, bounds.retainedBytes, age),
    quarantine: createQuarantineTable(db),
    keys: createKeyTable(db, age),
    bodies: createBodyTable(db, bounds.bodiesMax),
    tails: createTailTable(db),
    shipments: createShipmentTable(db),
    writeMetadata: metadataWriter(db),
    age,
    room: createRoom(db, directory, bounds),
    get reserveWhole() {
      return reserve.whole;
    },
    giveBack,
  };
}

/** What the map has under an operation's name. */
interface Runnable {
  readonly run: (context: Context, input: Operation) => Outcome;
  readonly committed?: ((context: Context) => Outcome) | null;
}

// The compiler cannot know that the function under a kind takes that kind's input; the types of the map say it does.
const entryOf = ({ kind }: Operation) => OPERATIONS[kind] as Runnable;

const run = (context: Context, operation: Operation): Outcome => entryOf(operation).run(context, operation);

const committed = (context: Context, operation: Operation): Outcome => entryOf(operation).committed?.(context) ?? null;

/** The stream that a write names, or that its outcome does. */
function streamOf(part: Operation | Outcome): string[] {
  return typeof part === "object" && part !== null && "stream" in part ? [part.stream] : [];
}

function metadataWithName(directory: string, metadata: Map<string, string>): Map<string, string> {
  const name = metadata.has(METADATA.id) ? null : readName(directory);
  if (name !== null) metadata.set(METADATA.id, name);
  return metadata;
}

/** The producer's names that a group's writes keep. */
function namesIn(group: readonly Operation[]): string[] {
  return group.flatMap((operation) =>
    operation.kind !== "remember"
      ? []
      : operation.metadata.filter(([name]) => name === METADATA.id).map(([, value]) => value),
  );
}
