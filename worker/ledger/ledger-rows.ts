/** The ledger's rows as they are read: a page of streams and producers, each with its counts, gaps and digests. */
import { parseStream } from "../../shared/events/kind.ts";
import { digestHex } from "../../shared/ledger-digest.ts";
import type { LedgerFilter, LedgerPage, LedgerRow } from "./ledger.ts";
import * as SQL from "./ledger-sql.ts";

/** Gaps listed in one row. */
export const GAPS_LISTED_MAX = 1000;
/** Ranges read for one page: rows beyond them list no gaps, and say how many there are. */
const SPANS_READ_MAX = 20_000;
/** No stream's name comes behind it. */
const LAST_STREAM = "\u{10FFFF}";

export async function readLedger(
  db: D1Database,
  tenant: string,
  { producer, stream, gapsAfter, from, limit }: LedgerFilter,
): Promise<LedgerPage> {
  const after = gapsAfter ?? 0;
  const streams = { stream: from?.stream ?? stream ?? "", lastStream: stream ?? LAST_STREAM };
  const page = { tenant, ...streams, producer: producer ?? from?.producer ?? "", count: limit + 1 };
  // One more than are shown between gaps, and one that ends before the position asked for.
  const wanted = { ...page, after, each: GAPS_LISTED_MAX + 2, all: SPANS_READ_MAX };
  const [counts, spans] =
    producer === undefined ? [SQL.PAGE_COUNTS, SQL.PAGE_SPANS] : [SQL.PRODUCER_COUNTS, SQL.PRODUCER_SPANS];
  const [counted, held] = await db.batch([counts.bind(db, page), spans.bind(db, wanted)]);
  const byRow = Map.groupBy(spans.rows(held), rowKey);
  const rows = counts.rows(counted);
  const next = rows[limit];
  return {
    rows: rows.slice(0, limit).map((row) => ledgerRow(row, gapsBetween(byRow.get(rowKey(row)) ?? [], after))),
    next: next === undefined ? null : { stream: next.stream, producer: next.producer },
  };
}

function rowKey({ stream, producer }: Pick<SQL.SpanRow, "stream" | "producer">): string {
  return `${producer}\n${stream}`;
}

function ledgerRow(row: SQL.CountedRow, gaps: [number, number][]): LedgerRow {
  const { accepted, duplicates, conflicts, delivered, quarantined, discarded, first, last, spans } = row;
  return {
    kind: parseStream(row.stream)?.kind ?? row.stream,
    stream: row.stream,
    ...(row.producer === "" ? {} : { producer: row.producer }),
    accepted,
    duplicates,
    conflicts,
    pending: accepted - delivered - quarantined - discarded,
    delivered,
    quarantined,
    discarded,
    ...(first === null || last === null ? {} : { first_sequence: first, last_sequence: last }),
    gaps,
    ...(first === null ? {} : { gaps_total: spans - 1 }),
    digest: digestHex({ high: row.digest_high, low: row.digest_low }),
    digested: row.digested,
  };
}

/** The first gaps that begin after a position. */
function gapsBetween(spans: readonly SQL.SpanRow[], after: number): [number, number][] {
  const reaching = spans.filter(({ last }) => last >= after);
  return reaching
    .slice(1)
    .map((span, i): [number, number] => [(reaching[i]?.last ?? 0) + 1, span.first - 1])
    .slice(0, GAPS_LISTED_MAX);
}
