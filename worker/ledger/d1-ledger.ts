/** The ledger on D1. */
import { and, eq, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { ClockAndRandom } from "../../shared/clock.ts";
import { parseStream } from "../../shared/events/kind.ts";
import { digestHex } from "../../shared/identity.ts";
import { counters, ranges } from "../database/schema.ts";
import { fileRequest } from "./file-request.ts";
import type { FileOutcome, Filing, Ledger, LedgerFilter, LedgerRow } from "./ledger.ts";

/** Gaps listed in one ledger row. */
export const GAPS_LISTED_MAX = 1000;

export function createD1Ledger(db: D1Database, runtime: ClockAndRandom): Ledger {
  return {
    file: (filing: Filing): Promise<FileOutcome> => fileRequest(db, filing, runtime),
    rows: (tenant, filter) => readRows(db, tenant, filter),
  };
}

interface StreamRanges {
  readonly spans: [number, number][];
  readonly total: number;
  readonly first: number;
  readonly last: number;
}

async function readRows(db: D1Database, tenant: string, filter: LedgerFilter): Promise<LedgerRow[]> {
  const orm = drizzle(db);
  const wanted = (table: typeof counters | typeof ranges): SQL | undefined =>
    and(
      eq(table.tenant, tenant),
      filter.stream === undefined ? undefined : eq(table.stream, filter.stream),
      filter.producer === undefined ? undefined : eq(table.producer, filter.producer),
    );
  const after = filter.gapsAfter ?? 0;
  // A gap after that position follows a span that reaches it. The last span is always read, for the row's ends.
  const numbered = orm
    .select({
      stream: ranges.stream,
      producer: ranges.producer,
      first: ranges.first,
      last: ranges.last,
      n: sql<number>`sum(last >= ${after}) OVER (PARTITION BY stream, producer ORDER BY first)`.as("n"),
      total: sql<number>`count(*) OVER (PARTITION BY stream, producer)`.as("total"),
      begin: sql<number>`min(first) OVER (PARTITION BY stream, producer)`.as("begin"),
      end: sql<number>`max(last) OVER (PARTITION BY stream, producer)`.as("end"),
    })
    .from(ranges)
    .where(wanted(ranges))
    .as("numbered");
  const [counted, spans] = await orm.batch([
    orm.select().from(counters).where(wanted(counters)).orderBy(counters.stream, counters.producer),
    orm
      .select()
      .from(numbered)
      .where(sql`(last >= ${after} AND n <= ${GAPS_LISTED_MAX + 1}) OR last = end`)
      .orderBy(sql`stream, producer, first`),
  ]);
  const byProducer = new Map<string, StreamRanges>();
  for (const span of spans) {
    const key = `${span.stream}\n${span.producer}`;
    const found = byProducer.get(key) ?? { spans: [], total: span.total, first: span.begin, last: span.end };
    if (span.n <= GAPS_LISTED_MAX + 1) found.spans.push([span.first, span.last]);
    byProducer.set(key, found);
  }
  return counted.map((row) => ledgerRow(row, byProducer.get(`${row.stream}\n${row.producer}`)));
}

function ledgerRow(row: typeof counters.$inferSelect, held: StreamRanges | undefined): LedgerRow {
  const { accepted, duplicates, conflicts, delivered, quarantined, discarded } = row;
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
    ...(held === undefined ? {} : { first_sequence: held.first, last_sequence: held.last }),
    gaps: gapsBetween(held?.spans ?? []),
    ...(held === undefined ? {} : { gaps_total: held.total - 1 }),
    digest: digestHex([row.digest0, row.digest1, row.digest2, row.digest3]),
    ...(row.producer === ""
      ? {}
      : { positions_digest: digestHex([row.positions0, row.positions1, row.positions2, row.positions3]) }),
  };
}

function gapsBetween(spans: readonly (readonly [number, number])[]): [number, number][] {
  return spans.slice(1).map((span, i) => [(spans[i]?.[1] ?? 0) + 1, span[0] - 1]);
}
