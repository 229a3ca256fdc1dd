/** The ledger in numbers for those who watch it: what stands now, and what came in lately. Reads are bounded. */
import { createRowId, rowIdTime } from "./row-id.ts";
import * as SQL from "./stats-sql.ts";

/** One tenant's stream, all its producers together. */
export interface StreamTotals {
  readonly tenant: string;
  readonly stream: string;
  readonly accepted: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly pending: number;
  readonly delivered: number;
  /** Open in quarantine now. */
  readonly quarantined: number;
  readonly discarded: number;
  readonly openShipments: number;
  /** When the oldest pending batch was filed, milliseconds since 1970; null where nothing is pending. */
  readonly oldestPendingAt: number | null;
}

/** A destination, its credentials, or a lane, which alone names tenant, stream and ids. */
export type Hold = SQL.HoldUntil;

export interface StreamMinutes {
  readonly stream: string;
  /** Minutes that had events, in order; `at` in milliseconds since 1970. */
  readonly minutes: readonly { readonly at: number; readonly accepted: number }[];
  /** Before this nothing was counted: more batches came than are read. Null where all were. */
  readonly cutBefore: number | null;
}

export interface Stats {
  totals(): Promise<StreamTotals[]>;
  holds(now: number): Promise<Hold[]>;
  /** Events accepted in each minute from a time on. */
  minutes(tenant: string, stream: string | null, from: number): Promise<StreamMinutes[]>;
}

const STREAMS_MAX = 5_000;
const HOLDS_MAX = 1_000;
/** Streams that one call for minutes reads, and batches of all of them together. */
const MINUTE_STREAMS_MAX = 200;
const MINUTE_BATCHES_MAX = 5_000;
const MINUTE_MS = 60_000;

export function createStats(db: D1Database): Stats {
  return {
    async totals() {
      return (await SQL.TOTALS.all(db, { count: STREAMS_MAX })).map(totalsOf);
    },
    holds: (now) => SQL.HOLDS.all(db, { now, count: HOLDS_MAX }),
    async minutes(tenant, stream, from) {
      const found = await SQL.STREAMS.all(db, { tenant, stream, count: MINUTE_STREAMS_MAX });
      if (found.length === 0) return [];
      // A batch's seq is never below its id.
      const firstSeq = createRowId(from, 0);
      const count = Math.floor(MINUTE_BATCHES_MAX / found.length);
      const results = await db.batch(
        found.map((row) => SQL.MINUTES.bind(db, { tenant, stream: row.stream, firstSeq, from, count })),
      );
      return found.map((row, i) => minutesOf(row.stream, SQL.MINUTES.rows(results[i]), count));
    },
  };
}

function totalsOf(row: SQL.TotalsRow): StreamTotals {
  const { oldest_unpacked, oldest_packed, open_shipments, ...counts } = row;
  const oldest = [oldest_unpacked, oldest_packed].filter((id) => id !== null);
  return {
    ...counts,
    pending: row.accepted - row.delivered - row.quarantined - row.discarded,
    openShipments: open_shipments,
    oldestPendingAt: oldest.length === 0 ? null : rowIdTime(Math.min(...oldest)),
  };
}

/** Where the bound was met, the oldest minute was read in part and is left out. */
export function minutesOf(stream: string, rows: readonly SQL.MinuteRow[], batchesMax: number): StreamMinutes {
  const isCut = rows.reduce((sum, row) => sum + row.batches, 0) >= batchesMax;
  const whole = isCut ? rows.slice(1) : rows;
  const [oldest] = rows;
  return {
    stream,
    minutes: whole.map(({ minute, accepted }) => ({ at: minute * MINUTE_MS, accepted })),
    cutBefore: isCut && oldest !== undefined ? (oldest.minute + 1) * MINUTE_MS : null,
  };
}
