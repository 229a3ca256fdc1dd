/** What packing must know of batches beyond their outbox rows: entry sizes, and the groups of persist events. */
import { reprocessGroupOf } from "../../shared/vendors/reprocess-group.ts";
import type { CallLimits } from "../../shared/vendors/vendor.ts";
import { ENTRY_STATUS, type EntrySpan, entrySpans } from "../ledger/entries.ts";
import type { ReprocessGroup } from "../ledger/plan.ts";
import * as SQL from "./outbox-sql.ts";
import { isOversized, type OutboxBatch, type Part } from "./pack.ts";

interface Described {
  readonly rows: readonly OutboxBatch[];
  /** The reprocessing group of the one event of a part. */
  groupOf(part: Part | undefined): ReprocessGroup | null;
}

interface DescribedBatch extends SQL.BatchEntries {
  readonly spans: readonly EntrySpan[];
}

/** Adds entry sizes to the rows that are too large for one call, and reads the groups of persist events. */
export async function describe(
  db: D1Database,
  rows: readonly OutboxBatch[],
  limits: CallLimits,
  withGroups: boolean,
): Promise<Described> {
  const wanted = rows.filter((row) => withGroups || isOversized(row, limits)).map((row) => row.batch);
  if (wanted.length === 0) return { rows, groupOf: () => null };
  const batches = await SQL.ENTRIES.all(db, { batches: JSON.stringify(wanted), withPayload: withGroups ? 1 : 0 });
  const found = new Map(batches.map((batch) => [batch.batch, { ...batch, spans: entrySpans(batch.entries) }]));
  return {
    rows: rows.map((row) => {
      const batch = found.get(row.batch);
      return batch === undefined ? row : { ...row, sizes: sizesOf(batch.spans, batch.units === row.bytes ? 1 : 3) };
    }),
    groupOf: (part) => (part === undefined ? null : groupIn(found.get(part.batch), part)),
  };
}

/** Lengths are in UTF-16 units; a text that is not plain ASCII has at most three bytes a unit. */
function sizesOf(spans: readonly EntrySpan[], bytesPerUnit: number): number[] {
  return spans.map((span) => (span.status === ENTRY_STATUS.stored ? (span.end - span.start) * bytesPerUnit : 0));
}

function groupIn(batch: DescribedBatch | undefined, { from, to }: Part): ReprocessGroup | null {
  const span = batch?.spans.find(({ status }, entry) => from <= entry && entry <= to && status === ENTRY_STATUS.stored);
  return batch?.payload && span !== undefined ? reprocessGroupOf(batch.payload.slice(span.start, span.end)) : null;
}
