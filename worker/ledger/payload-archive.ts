/**
 * Where the payload of batches is that have left the database: which object, and where in it. What is kept there is said
 * here and written by worker/retention; without a bucket nothing is kept.
 */
import type { CallAttempt } from "./events-sql.ts";

/** A batch as the archive keeps it: what its row has no more. */
export interface ArchivedBatch {
  readonly batch: number;
  readonly payload: string;
  /** Hex; see entries.ts. */
  readonly entries: string;
  readonly times: string | null;
  readonly attempts: readonly ArchivedAttempt[];
}

/** An attempt of a call, with the entries of the batch that the call carried, ends inclusive. */
export interface ArchivedAttempt extends CallAttempt {
  readonly from: number;
  readonly to: number;
}

/** A batch, and its `batches.archive`. */
export interface ArchivePlace {
  readonly batch: number;
  readonly archive: string;
}

export interface PayloadArchive {
  /** Those of some batches that could be read back, by batch: a bounded number of them, and bytes, at a time. Never fails. */
  read(places: readonly ArchivePlace[]): Promise<ReadonlyMap<number, ArchivedBatch>>;
}
