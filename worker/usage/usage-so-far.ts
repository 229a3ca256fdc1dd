/**
 * Usage so far: what was accepted and counts towards the lines of a datum, in each line's period. Exact at the
 * moment of one snapshot, read and never written.
 *
 * Whole days come from totals; a day that a boundary cuts (of a period or of a subscription), a day whose totals
 * are to be made anew and what is not folded yet are read event by event. So the cost is bounded by the period's
 * days times the ways the customer's data was named, plus those days' events; what is more than an instance may hold
 * of it is refused.
 */
import type { Usage } from "../pricing/aggregate.ts";
import type { Decimal } from "../pricing/decimal.ts";
import type { Datum, Line } from "../pricing/lines.ts";
import type { PriceBook } from "../pricing/price-book.ts";
import { attribution } from "./attribution.ts";
import { jsonArrays } from "./json-arrays.ts";
import { type Name, subjectText } from "./measure.ts";
import { type Contexts, contextHashOf, DAY_MS, dayOf, seriesValues } from "./series.ts";
import { joined, type Tally, tallyOf, tallyOfRow, usageOf } from "./tally.ts";
import * as SQL from "./usage-sql.ts";
import { UsageTooLargeError } from "./usage-too-large.ts";

export interface UsageQuestion {
  readonly tenant: string;
  readonly book: PriceBook;
  readonly datum: Datum;
  /** Of the datum; without any, no usage is read. */
  readonly lines: readonly Line[];
  /** The event's ledger key, in hex; null where nobody asks whether it is in the ledger. */
  readonly key: string | null;
}

export interface UsageFound {
  /** What each of the lines has so far. */
  readonly usage: ReadonlyMap<Line, Usage>;
  /** Whether the event itself is in the ledger, and so in the usage if it counts. */
  readonly isFiled: boolean;
}

export interface UsageReader {
  /** @throws UsageTooLargeError where there is more of it than may be read. */
  read(question: UsageQuestion): Promise<UsageFound>;
}

export function createUsageReader(db: D1Database): UsageReader {
  return {
    async read({ tenant, book, datum, lines, key }) {
      if (lines.length === 0) {
        const filed = key === null ? null : await SQL.FILED.first(db, { key });
        return { usage: new Map(), isFiled: filed !== null };
      }
      const found = await readSpan(db, { tenant, key }, subjectsOf(datum, lines), spanOf(book, datum, lines));
      return { usage: addUp(book, datum, lines, found), isFiled: found.isFiled };
    },
  };
}

interface Span {
  readonly firstDay: number;
  readonly lastDay: number;
  /** Days that a boundary cuts. */
  readonly cutDays: readonly number[];
  /** Whether distinct values are asked for. */
  readonly isDistinct: boolean;
}

function spanOf(book: PriceBook, datum: Datum, lines: readonly Line[]): Span {
  const bounds = lines.flatMap(({ period }) => [period.startMs, period.endMs]);
  const active = subscriptionsOf(book, datum).flatMap(({ startMs, endMs }) => [startMs, endMs]);
  const [firstDay, lastDay] = [dayOf(Math.min(...bounds)), dayOf(Math.max(...bounds) - 1)];
  const cut = [...bounds, ...active].filter((ms) => Number.isFinite(ms) && ms % DAY_MS !== 0).map(dayOf);
  return {
    firstDay,
    lastDay,
    cutDays: [...new Set(cut)].filter((day) => firstDay <= day && day <= lastDay),
    isDistinct: lines.some(({ given }) => given.meterValue.calculation === "UNIQUE"),
  };
}

function subscriptionsOf(book: PriceBook, { customer }: Datum) {
  return customer === null ? [] : (book.subscriptionsOf.get(customer.id) ?? []);
}

/** Every way an event may name the datum's meter, and its customer or, without one, a subscription of the lines. */
function subjectsOf({ meter, customer }: Datum, lines: readonly Line[]): string[] {
  if (customer === null) return [];
  const subscriptions = new Set(lines.map(({ subscription }) => subscription));
  const bySubscription = [...subscriptions].flatMap((subscription) => namesOf(subscription));
  return namesOf(meter.meter).flatMap((meterName) => [
    ...namesOf(customer).map((name) => subjectText([meterName, name])),
    ...bySubscription.map((name) => subjectText([meterName, UNNAMED, name])),
  ]);
}

function namesOf({ id, reference }: { readonly id: string; readonly reference: string }): Name[] {
  return [
    [id, null],
    [null, reference],
    [id, reference],
  ];
}

const UNNAMED: Name = [null, null];

/** Rows and bytes of each question: the longest year of many series stays below. */
const READ = { rowsMax: 100_000, bytesMax: 12_000_000 } as const;

/** @throws UsageTooLargeError where the bound cut them. */
function whole<Row extends SQL.Weighed>(rows: readonly Row[]): readonly Row[] {
  if (rows.length < READ.rowsMax && (rows.at(-1)?.total ?? 0) <= READ.bytesMax) return rows;
  throw new UsageTooLargeError(`the usage so far has more than ${READ.rowsMax} rows or ${READ.bytesMax} bytes`);
}

interface Found {
  readonly isFiled: boolean;
  readonly totals: readonly SQL.TotalRow[];
  readonly facts: readonly SQL.ReadFact[];
  readonly contexts: Contexts;
}

/** A customer with thousands of subscriptions has more subjects than one value holds; still it is one snapshot. */
async function readSpan(
  db: D1Database,
  { tenant, key }: Pick<UsageQuestion, "tenant" | "key">,
  subjects: readonly string[],
  span: Span,
): Promise<Found> {
  const parts = jsonArrays(subjects.map((subject) => JSON.stringify(subject)));
  const days = {
    firstDay: span.firstDay,
    lastDay: span.lastDay,
    cutDays: JSON.stringify(span.cutDays),
    isDistinct: span.isDistinct ? 1 : 0,
  } as const;
  const results = await db.batch([
    ...parts.map((of) => SQL.TOTALS.bind(db, { tenant, subjects: of, ...days, ...READ })),
    ...parts.map((of) => SQL.FACTS_OF_DAYS.bind(db, { tenant, subjects: of, ...days, ...READ })),
    ...parts.map((of) => SQL.UNFOLDED.bind(db, { tenant, subjects: of, ...READ })),
    ...(key === null ? [] : [SQL.FILED.bind(db, { key })]),
  ]);
  const resultsOf = (i: number) => results.slice(i * parts.length, (i + 1) * parts.length);
  const totals = resultsOf(0).flatMap((result) => whole(SQL.TOTALS.rows(result)));
  return {
    isFiled: resultsOf(3).some((result) => SQL.FILED.rows(result).length > 0),
    totals,
    facts: [
      ...resultsOf(1).flatMap((result) => whole(SQL.FACTS_OF_DAYS.rows(result))),
      ...resultsOf(2).flatMap((result) => whole(SQL.UNFOLDED.rows(result))),
    ],
    contexts: await readContexts(db, tenant, totals),
  };
}

/** Read after the snapshot: what a hash stands for never changes. */
async function readContexts(db: D1Database, tenant: string, totals: readonly SQL.TotalRow[]): Promise<Contexts> {
  const hashes = new Set(totals.map(({ series }) => contextHashOf(series)).filter((hash) => hash !== null));
  if (hashes.size === 0) return new Map();
  const rows = await SQL.CONTEXTS.all(db, { tenant, hashes: JSON.stringify([...hashes]), ...READ });
  return new Map(whole(rows).map(({ hash, context }) => [hash, context]));
}

function addUp(
  book: PriceBook,
  datum: Datum,
  lines: readonly Line[],
  { totals, facts, contexts }: Found,
): Map<Line, Usage> {
  const linesAt = attribution(book, datum, lines, contexts);
  const single = new Map<Line, Decimal[]>(lines.map((line) => [line, []]));
  for (const fact of facts) {
    for (const { series, value } of seriesValues(fact, contexts)) {
      for (const line of linesAt(series, fact.at)) single.get(line)?.push(value);
    }
  }
  const tallies = new Map<Line, Tally[]>(lines.map((line) => [line, [tallyOf(single.get(line) ?? [])]]));
  const isDistinct = lines.some(({ given }) => given.meterValue.calculation === "UNIQUE");
  const readSingly = isDistinct ? tooManyDistinct(totals) : new Set<string>();
  for (const row of totals) {
    if (readSingly.has(dayKey(row))) continue;
    for (const line of linesAt(row.series, row.day * DAY_MS)) tallies.get(line)?.push(tallyOfRow(row));
  }
  return new Map(
    lines.map((line) => [line, usageOf(line.given.meterValue.calculation, joined(tallies.get(line) ?? []))]),
  );
}

/** Days of which a row lacks its distinct values: their facts were read instead. */
function tooManyDistinct(totals: readonly SQL.TotalRow[]): Set<string> {
  return new Set(totals.filter((row) => row.distinct_values === null).map(dayKey));
}

function dayKey({ subject, day }: SQL.TotalRow): string {
  return `${day} ${subject}`;
}
