/** Which of a datum's lines a piece of accepted usage counts towards: those it would be priced by itself. */
import { ZERO } from "../pricing/decimal.ts";
import { type Datum, type Line, linesAmong } from "../pricing/lines.ts";
import { findNamed, namingOf } from "../pricing/named.ts";
import type { BookMeter, PriceBook } from "../pricing/price-book.ts";
import type { Naming, Selector } from "../pricing/select.ts";
import type { GivenProperty, SubscriptionNaming } from "./measure.ts";
import { type Contexts, type Series, seriesOf } from "./series.ts";
import { UsageTooLargeError } from "./usage-too-large.ts";

/** Lines and subscriptions looked at for the usage of one calculation: longer would hold up the whole instance. */
const STEPS_MAX = 5_000_000;

/**
 * @returns for a series at a moment, those of the lines it counts towards. Between two moments at which one of the
 * customer's subscriptions begins or ends the answer changes only with the periods, so it is worked out once.
 */
export function attribution(
  book: PriceBook,
  datum: Datum,
  lines: readonly Line[],
  contexts: Contexts,
): (series: string, atMs: number) => readonly Line[] {
  const owned = datum.customer === null ? [] : (book.subscriptionsOf.get(datum.customer.id) ?? []);
  const changes = [...new Set(owned.flatMap(({ startMs, endMs }) => [startMs, endMs]))].sort((a, b) => a - b);
  const known = new Map<string, readonly Line[]>();
  let steps = 0;
  const spend = (count: number) => {
    steps += count;
    if (steps > STEPS_MAX) throw new UsageTooLargeError("the usage so far counts towards too many lines");
  };
  const countedAt = (series: string, atMs: number): readonly Line[] => {
    const key = `${countUpTo(changes, atMs)} ${series}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    spend(owned.length + lines.length);
    const counted = linesOfSeries(book, datum, lines, seriesOf(series, contexts), atMs);
    known.set(key, counted);
    return counted;
  };
  return (series, atMs) => {
    const counted = countedAt(series, atMs);
    spend(1 + counted.length);
    return counted.filter(({ period }) => period.startMs <= atMs && atMs < period.endMs);
  };
}

/** How many of sorted moments are not after a moment. */
function countUpTo(moments: readonly number[], atMs: number): number {
  let [from, to] = [0, moments.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((moments[middle] ?? 0) <= atMs) from = middle + 1;
    else to = middle;
  }
  return from;
}

function linesOfSeries(
  book: PriceBook,
  datum: Datum,
  lines: readonly Line[],
  { id, reference, currency, subscription, properties }: Series,
  atMs: number,
): readonly Line[] {
  const value = findNamed(datum.meter.values, namingOf(id, reference));
  if (value.kind !== "found" || (value.thing.type === "AMOUNT") !== (currency !== null)) return [];
  const counted: Datum = {
    ...datum,
    atMs,
    naming: namingOfSubscription(book, subscription),
    values: [{ meterValue: value.thing, value: ZERO, currency, sent: null }],
    properties: propertiesBy(datum.meter, properties),
  };
  return linesAmong(book, counted, lines);
}

function namingOfSubscription(book: PriceBook, named: SubscriptionNaming): Naming {
  if (named === null) return { kind: "all" };
  if (!isName(named)) return { kind: "selector", selector: named as Selector };
  const found = findNamed(book.subscriptions, namingOf(named[0], named[1]));
  return { kind: "one", subscription: found.kind === "found" ? found.thing : null };
}

function isName(named: NonNullable<SubscriptionNaming>): named is readonly [string | null, string | null] {
  return Array.isArray(named);
}

/** A property that the meter does not know decides nothing. */
function propertiesBy(meter: BookMeter, given: readonly GivenProperty[]): ReadonlyMap<string, string> {
  return new Map(
    given.flatMap(([id, reference, value]): [string, string][] => {
      const found = findNamed(meter.properties, namingOf(id, reference));
      return found.kind === "found" ? [[found.thing.reference, value]] : [];
    }),
  );
}
