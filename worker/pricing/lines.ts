/**
 * The lines of a datum: every config, of every subscription it falls under, that asks something for one of its
 * values. A prediction prices these lines, and once the datum is accepted it counts towards the usage of these
 * same lines: so what was predicted is what the total rises by.
 */
import type { Customer, MeterValue } from "./catalog.ts";
import { meetsAll, type Properties } from "./conditions.ts";
import type { Decimal } from "./decimal.ts";
import { type Period, periodAt } from "./periods.ts";
import type { BookConfig, BookMeter, BookSubscription, PriceBook } from "./price-book.ts";
import type { PriceRule } from "./price-rule.ts";
import { type Naming, subscriptionsFor } from "./select.ts";

/** One value of meter data, its meter value resolved. */
export interface DatumValue {
  readonly meterValue: MeterValue;
  readonly value: Decimal;
  /** Of an AMOUNT; null for a number. */
  readonly currency: string | null;
  /** As it was sent, for the answer. */
  readonly sent: unknown;
}

/** One piece of meter data, resolved against a catalog. */
export interface Datum {
  /** Null where it names none, or none that is known. */
  readonly customer: Customer | null;
  readonly naming: Naming;
  readonly meter: BookMeter;
  readonly atMs: number;
  readonly values: readonly DatumValue[];
  readonly properties: Properties;
}

export interface Line {
  readonly subscription: BookSubscription;
  readonly pricing: BookConfig;
  readonly rule: PriceRule;
  readonly period: Period;
  readonly given: DatumValue;
}

export type LinesOutcome =
  /** No price asks for it: unknown customer, no active subscription, no config whose conditions hold. */
  | { readonly kind: "not-matched" }
  /** A top-up is among the matches. The other lines still count usage. */
  | { readonly kind: "not-supported"; readonly lines: readonly Line[] }
  /** An amount in another currency than the price it meets. The other lines still count usage. */
  | { readonly kind: "failed"; readonly lines: readonly Line[] }
  | { readonly kind: "lines"; readonly lines: readonly Line[] };

export function linesOf(book: PriceBook, datum: Datum): LinesOutcome {
  const owned = book.subscriptionsOf.get(datum.customer?.id ?? "") ?? [];
  const matches = subscriptionsFor(owned, datum.naming, datum.atMs).flatMap((subscription) =>
    matchesOf(book, datum, subscription),
  );
  if (matches.length === 0) return { kind: "not-matched" };
  const inCurrency = matches.filter(({ pricing, given }) => [null, pricing.config.currency].includes(given.currency));
  const lines = inCurrency.flatMap((match) => lineOf(match, datum.atMs));
  if (matches.some(({ pricing }) => pricing.rule === null)) return { kind: "not-supported", lines };
  return { kind: inCurrency.length < matches.length ? "failed" : "lines", lines };
}

type Match = Pick<Line, "subscription" | "pricing" | "given">;

function matchesOf(book: PriceBook, datum: Datum, subscription: BookSubscription): Match[] {
  const { meter, propertyTypes } = datum.meter;
  return datum.values.flatMap((given) =>
    book
      .configsFor(subscription.planId, meter.reference, given.meterValue.reference)
      .filter(({ config }) => meetsAll(config.conditions, datum.properties, propertyTypes))
      .map((pricing) => ({ subscription, pricing, given })),
  );
}

function lineOf(match: Match, atMs: number): Line[] {
  const { rule } = match.pricing;
  if (rule === null) return [];
  return [{ ...match, rule, period: periodAt(match.subscription.startMs, rule.billing, atMs) }];
}
