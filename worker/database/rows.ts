/** The rows of the schema's tables as SQL gives them: by the columns' own names. */
import type { GetColumnData, Table } from "drizzle-orm";
import type {
  attempts,
  batches,
  counters,
  dayTotals,
  dirtyDays,
  facts,
  holds,
  outbox,
  quarantine,
  ranges,
  shipments,
  usageProgress,
} from "./schema.ts";

type RowOf<T extends Table> = {
  readonly [Key in keyof T["_"]["columns"] as T["_"]["columns"][Key]["_"]["name"]]: GetColumnData<
    T["_"]["columns"][Key]
  >;
};

export type AttemptRow = RowOf<typeof attempts>;
/** Its entries are read as `hex(entries)`. */
export type BatchRow = Omit<RowOf<typeof batches>, "entries"> & { readonly entries: string };
export type CounterRow = RowOf<typeof counters>;
export type DayTotalRow = RowOf<typeof dayTotals>;
export type DirtyDayRow = RowOf<typeof dirtyDays>;
export type FactRow = RowOf<typeof facts>;
export type HoldRow = RowOf<typeof holds>;
export type OutboxRow = RowOf<typeof outbox>;
export type QuarantineRow = RowOf<typeof quarantine>;
export type RangeRow = RowOf<typeof ranges>;
export type ShipmentRow = RowOf<typeof shipments>;
export type ProgressRow = RowOf<typeof usageProgress>;
