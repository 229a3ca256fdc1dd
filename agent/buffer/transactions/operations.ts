/**
 * Every operation of the log, by name: the one place that says which there are. Operation, outcome, the store's
 * dispatch and the log's methods follow from it, so that a new one is a function in this folder and a line here.
 * Input and outcome travel between threads: plain data only.
 */
import { verify } from "../disk/verify.ts";
import type { MetadataEntry } from "../tables/metadata.ts";
import type { QuarantineState } from "../tables/quarantine.ts";
import type { FixedShipment } from "../tables/shipments.ts";
import type { TailPosition } from "../tables/tails.ts";
import { append } from "./append.ts";
import { appendRun } from "./append-run.ts";
import type { Context } from "./context.ts";
import { digest } from "./digest.ts";
import { positions } from "./positions.ts";
import { read } from "./read.ts";
import { discard, retry } from "./release.ts";
import { resend } from "./resend.ts";
import { SETTLED, settle } from "./settle.ts";
import { tidied, tidy } from "./tidy.ts";
import { withdraw } from "./withdraw.ts";

export const OPERATIONS = {
  append: writes(append),
  /** Appends that waited for the same commit, as one. */
  appendRun: writes(appendRun),
  settle: writes(settle),
  /** Fixes shipments of a stream before their first attempt, in the place of the one that begins at `replaces`. */
  fix: writes((tables, input: FixInput) => {
    tables.shipments.fix(tables.streams.open(input.stream).id, input.replaces, input.shipments);
    return SETTLED;
  }),
  /** Notes how many of a fixed shipment's events may have gone out, before they do. */
  mark: writes((tables, input: { readonly stream: string; readonly first: number; readonly attempted: number }) => {
    tables.shipments.mark(tables.streams.open(input.stream).id, input.first, input.attempted);
    return SETTLED;
  }),
  /** Keeps small values: the fetched schemas, the producer's name. */
  remember: writes((tables, input: { readonly metadata: readonly MetadataEntry[] }) => {
    for (const entry of input.metadata) tables.writeMetadata(entry);
    return SETTLED;
  }),
  tidy: writes(tidy, tidied),
  retry: writes(retry),
  discard: writes(discard),
  resend: writes(resend),
  withdraw: writes(withdraw),
  /** How far a file was read without any line of it: the copy of one that was read by another name. */
  keepTail: writes((tables, input: { readonly position: TailPosition }) => {
    tables.tails.keep(input.position);
    return SETTLED;
  }),
  /** A followed file that is gone needs no remembering. */
  forgetTail: writes((tables, input: { readonly path: string; readonly inode: string }) => {
    tables.tails.forget(input.path, input.inode);
    return SETTLED;
  }),

  read: reads(read),
  positions: reads(positions),
  /** What an edge's digest must be. */
  digest: reads(digest),
  /** Bytes of the database file that hold nothing: room for events before the file grows. */
  freeBytes: reads(({ db }) => {
    const pages = db.prepare("SELECT freelist_count * page_size AS bytes FROM pragma_freelist_count, pragma_page_size");
    return Number(pages.get()?.["bytes"] ?? 0);
  }),
  /** When the oldest pending event came in, in milliseconds since 1970; null where none waits. */
  oldest: reads((tables) => tables.batches.oldest()),
  /** What is wrong with the buffer's files or counts, in words; empty for a sound one. */
  verify: reads(({ db }): readonly string[] => verify(db)),
  /** The shipments that are fixed and not settled. */
  fixed: reads((tables) => tables.shipments.all()),
  /** Events in quarantine with an id above `after`, in order; of one state, or of any. */
  quarantined: reads((tables, { state, after, limit }: QuarantinedInput) =>
    tables.quarantine.list(state, after, limit),
  ),
  /** How far the files behind a followed path have been read. */
  tails: reads((tables, { path }: { readonly path: string }) => tables.tails.of(path)),
};

/** Those by which positions that were given before wait again, or no longer, other than by being settled. */
export const REOPENING: ReadonlySet<OperationKind> = new Set(["retry", "resend", "withdraw"]);

interface FixInput {
  readonly stream: string;
  readonly replaces: number | null;
  readonly shipments: readonly FixedShipment[];
}

interface QuarantinedInput {
  readonly state: QuarantineState | null;
  readonly after: number;
  readonly limit: number;
}

/** Those that take new events in: on a full disk they give way. */
export const APPENDING: ReadonlySet<OperationKind> = new Set(["append", "appendRun"]);

/** What is answered to a write that the disk has no room for. */
export interface FullDisk {
  readonly kind: "full";
  readonly bound: "disk";
}

interface Write<I, O> {
  readonly writes: true;
  readonly run: (context: Context, input: I) => O;
  /** What is left to do once the transaction is committed, and gives the outcome anew. */
  readonly committed: ((context: Context) => O) | null;
}

interface Read<I, O> {
  readonly writes: false;
  readonly run: (context: Context, input: I) => O;
}

function writes<I, O>(run: Write<I, O>["run"], committed: Write<I, O>["committed"] = null): Write<I, O> {
  return { writes: true, run, committed };
}

function reads<O, I = NoInput>(run: Read<I, O>["run"]): Read<I, O> {
  return { writes: false, run };
}

export type NoInput = Readonly<Record<never, never>>;

type Operations = typeof OPERATIONS;
export type OperationKind = keyof Operations;
export type InputOf<K extends OperationKind> = Operations[K] extends {
  run: (context: Context, input: infer I) => unknown;
}
  ? I
  : never;
export type OutcomeOf<K extends OperationKind> =
  | ReturnType<Operations[K]["run"]>
  | (Operations[K] extends { writes: true } ? FullDisk : never);

/** What the log's writer is asked to do: an operation's name as `kind`, beside its input. */
export type Operation<K extends OperationKind = OperationKind> = K extends OperationKind
  ? { readonly kind: K } & InputOf<K>
  : never;
export type Outcome<O extends Operation = Operation> = O extends { readonly kind: infer K extends OperationKind }
  ? OutcomeOf<K>
  : never;
