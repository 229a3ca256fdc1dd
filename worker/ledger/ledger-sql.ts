/**
 * The statements by which the ledger's counts are read: a page of rows, of each no more ranges than are shown. How many
 * gaps a producer has is counted as they come and go; nothing here reads all of them.
 */
import type { CounterRow, RangeRow } from "../database/rows.ts";
import { statement } from "../database/statement.ts";

const key = (table: string, row: string) =>
  `${table}.tenant = :tenant AND ${table}.stream = ${row}.stream AND ${table}.producer = ${row}.producer`;

/** Rows in the order of stream and producer, from one on; of the streams up to the last. */
interface Page {
  readonly tenant: string;
  readonly stream: string;
  readonly producer: string;
  readonly lastStream: string;
  readonly count: number;
}

const PAGE = `SELECT * FROM counters
  WHERE tenant = :tenant AND (stream, producer) >= (:stream, :producer) AND stream <= :lastStream
  ORDER BY stream, producer LIMIT :count`;

/** A producer's rows: one seek a stream of the tenant, in their order. */
interface OfProducer {
  readonly tenant: string;
  /** From this one on, up to the last. */
  readonly stream: string;
  readonly producer: string;
  readonly lastStream: string;
  readonly count: number;
}

const streamAfter = (where: string) =>
  `(SELECT min(stream) FROM counters WHERE tenant = :tenant AND ${where} AND stream <= :lastStream)`;
const OF_PRODUCER = `SELECT counters.* FROM (WITH RECURSIVE found(stream) AS (
    SELECT ${streamAfter("stream >= :stream")}
    UNION ALL SELECT ${streamAfter("stream > found.stream")} FROM found WHERE found.stream IS NOT NULL)
    SELECT stream FROM found WHERE stream IS NOT NULL) AS found
  CROSS JOIN counters ON counters.tenant = :tenant AND counters.stream = found.stream AND counters.producer = :producer
  LIMIT :count`;

/** A row of counts with the ends of its positions; null where it has none. */
export type CountedRow = CounterRow & { readonly first: number | null; readonly last: number | null };

function counts(page: string): string {
  const end = (column: "first" | "last", order: "ASC" | "DESC") =>
    `(SELECT ${column} FROM ranges WHERE ${key("ranges", "page")} ORDER BY ranges.first ${order} LIMIT 1) AS ${column}`;
  return `SELECT page.*, ${end("first", "ASC")}, ${end("last", "DESC")} FROM (${page}) AS page`;
}

export const PAGE_COUNTS = statement<Page, CountedRow>(counts(PAGE));
export const PRODUCER_COUNTS = statement<OfProducer, CountedRow>(counts(OF_PRODUCER));

interface Spans {
  /** Ranges that reach this position, and those behind it. */
  readonly after: number;
  /** Of one row, and of all together; rows beyond that have none here. */
  readonly each: number;
  readonly all: number;
}

export type SpanRow = Pick<RangeRow, "stream" | "producer" | "first" | "last">;

/** The range that may reach `:after`; those before it do not. */
const BEGIN = `coalesce((SELECT begun.first FROM ranges AS begun WHERE ${key("begun", "listed")} AND begun.first <= :after
    ORDER BY begun.first DESC LIMIT 1), 0)`;

/** Of the rows with more than one range: the others have no gap. */
function spans(page: string): string {
  return `SELECT ranges.stream, ranges.producer, ranges.first, ranges.last
FROM (SELECT stream, producer, sum(min(spans, :each)) OVER (ORDER BY stream, producer) AS total
    FROM (${page}) AS page WHERE spans > 1) AS listed
CROSS JOIN ranges ON ${key("ranges", "listed")} AND ranges.first >= ${BEGIN}
  AND ranges.first < coalesce((SELECT beyond.first FROM ranges AS beyond WHERE ${key("beyond", "listed")}
    AND beyond.first >= ${BEGIN} ORDER BY beyond.first LIMIT 1 OFFSET :each), ${Number.MAX_SAFE_INTEGER})
WHERE listed.total <= :all ORDER BY ranges.stream, ranges.producer, ranges.first`;
}

export const PAGE_SPANS = statement<Page & Spans, SpanRow>(spans(PAGE));
export const PRODUCER_SPANS = statement<OfProducer & Spans, SpanRow>(spans(OF_PRODUCER));
