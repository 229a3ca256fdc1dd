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

export interface Hold {
  /** `zuora`, or `zuora TENANT STREAM`. */
  readonly scope: string;
  readonly until: number;
}

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
/** Streams and batches a stream that one call for minutes reads. */
const MINUTE_STREAMS_MAX = 200;
export const MINUTE_BATCHES_MAX = 5_000;
const MINUTE_MS = 60_000;

type TotalsRow = Omit<StreamTotals, "pending" | "openShipments" | "oldestPendingAt"> & {
  readonly oldest_unpacked: number | null;
  readonly oldest_packed: number | null;
  readonly open_shipments: number;
};
interface MinuteRow {
  readonly minute: number;
  readonly accepted: number;
  readonly batches: number;
}

export function createStats(db: D1Database): Stats {
  return {
    async totals() {
      return (await db.prepare(SQL.TOTALS).bind(STREAMS_MAX).all<TotalsRow>()).results.map(totalsOf);
    },
    async holds(now) {
      return (await db.prepare(SQL.HOLDS).bind(now, HOLDS_MAX).all<Hold>()).results;
    },
    async minutes(tenant, stream, from) {
      const found = await db.prepare(SQL.STREAMS).bind(tenant, stream, MINUTE_STREAMS_MAX).all<{ stream: string }>();
      const names = found.results.map((row) => row.stream);
      if (names.length === 0) return [];
      const statement = db.prepare(SQL.MINUTES);
      const firstId = createRowId(from, 0);
      const results = await db.batch<MinuteRow>(
        names.map((name) => statement.bind(tenant, name, firstId, from, MINUTE_BATCHES_MAX)),
      );
      return names.map((name, i) => minutesOf(name, results[i]?.results ?? [], MINUTE_BATCHES_MAX));
    },
  };
}

function totalsOf(row: TotalsRow): StreamTotals {
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
export function minutesOf(stream: string, rows: readonly MinuteRow[], batchesMax: number): StreamMinutes {
  const isCut = rows.reduce((sum, row) => sum + row.batches, 0) >= batchesMax;
  const whole = isCut ? rows.slice(1) : rows;
  const [oldest] = rows;
  return {
    stream,
    minutes: whole.map(({ minute, accepted }) => ({ at: minute * MINUTE_MS, accepted })),
    cutBefore: isCut && oldest !== undefined ? (oldest.minute + 1) * MINUTE_MS : null,
  };
}
