/** Dollars and limits by rate and by events in a body. Pure. */
import {
  BODIES_A_SECOND_MAX,
  BYTES_AN_EVENT,
  DATABASE_BYTES_MAX,
  KEPT_DAYS,
  MESSAGES_A_SECOND_MAX,
  OPERATIONS_A_MESSAGE,
  PRICES,
  RATES,
  ROWS_AN_EVENT,
  SIZES,
  type Size,
} from "./figures.ts";

const MILLION = 1_000_000;
const DAY_S = 86_400;

/** Of a million events: rows, requests, queue operations, and a month of storage for what is kept. */
export function dollarsAMillion(rate: number, size: Size, kind: "positions" | "keyed"): number {
  const bodiesASecond = rate / size;
  const messagesAnEvent = Math.min(bodiesASecond, MESSAGES_A_SECOND_MAX) / rate;
  return (
    ROWS_AN_EVENT[size][kind] * PRICES.millionRowsWritten +
    PRICES.millionRequests / size +
    messagesAnEvent * OPERATIONS_A_MESSAGE * PRICES.millionQueueOperations +
    ((MILLION * BYTES_AN_EVENT) / 1e9) * PRICES.gigabyteMonth * (KEPT_DAYS / 30)
  );
}

export type Limit =
  | { readonly kind: "none" }
  /** So many databases' worth of bodies a second come. */
  | { readonly kind: "thread"; readonly databases: number }
  /** One database is full after so many seconds, if nothing goes. */
  | { readonly kind: "space"; readonly seconds: number };

/** What gives way first in one database. */
export function firstLimit(rate: number, size: Size): Limit {
  const databases = Math.ceil(rate / size / BODIES_A_SECOND_MAX);
  if (databases > 1) return { kind: "thread", databases };
  const seconds = DATABASE_BYTES_MAX / (rate * BYTES_AN_EVENT);
  return seconds < KEPT_DAYS * DAY_S ? { kind: "space", seconds } : { kind: "none" };
}

/** The table of docs/scale.md. */
export function scaleTable(): string[] {
  const rows = RATES.flatMap((rate) =>
    SIZES.map((size) => [
      ...[rate.toLocaleString("en-US"), size.toLocaleString("en-US")],
      ...[dollars(dollarsAMillion(rate, size, "positions")), dollars(dollarsAMillion(rate, size, "keyed"))],
      limitText(firstLimit(rate, size)),
    ]),
  );
  const head = [
    "events/s",
    "in a body",
    "$ a million, by position",
    "$ a million, by own id",
    "first limit of one database",
  ];
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
}

function dollars(amount: number): string {
  return amount.toFixed(2);
}

function limitText(limit: Limit): string {
  switch (limit.kind) {
    case "none":
      return "none";
    case "thread":
      return `its one thread: the load of ${limit.databases.toLocaleString("en-US")} databases`;
    case "space":
      return `its 10 GB, full after ${spanText(limit.seconds)}`;
  }
}

function spanText(seconds: number): string {
  if (seconds >= 2 * DAY_S) return `${Math.round(seconds / DAY_S)} days`;
  return seconds >= 7_200 ? `${Math.round(seconds / 3_600)} hours` : `${Math.round(seconds / 60)} minutes`;
}
