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
  /** Null where it names none, or none that is known. A named subscription names its customer. */
  readonly customer: Customer | null;
  /** Of a null customer: whether one was named. */
  readonly isCustomerNamed: boolean;
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

/** Why no price asks for a datum, the first of these in their order. */
export const NOT_MATCHED_VARIANTS = [
  /** It names neither a customer nor a subscription. */
  "CUSTOMER_NOT_NAMED",
  /** The catalog has no such customer. */
  "CUSTOMER_NOT_FOUND",
  /** The customer has no subscription that is active at its time and that it names or selects. */
  "SUBSCRIPTION_NOT_FOUND",
  /** No plan prices its values, or no config whose conditions hold. */
  "PRICING_NOT_FOUND",
] as const;
export type NotMatchedVariant = (typeof NOT_MATCHED_VARIANTS)[number];

export type LinesOutcome =
  | { readonly kind: "not-matched"; readonly variant: NotMatchedVariant }
  /** A top-up is among the matches. The other lines still count usage. */
  | { readonly kind: "not-supported"; readonly lines: readonly Line[] }
  /** An amount in another currency than the price it meets. The other lines still count usage. */
  | { readonly kind: "failed"; readonly lines: readonly Line[] }
  | { readonly kind: "lines"; readonly lines: readonly Line[] }
  /** More lines and bands than {@link PARTS_MAX}: nothing is priced by a part of them. */
  | { readonly kind: "too-many" };

/** Lines and their bands in one calculation. A catalog has room for millions, which would hold up a whole instance. */
export const PARTS_MAX = 10_000;

export function linesOf(book: PriceBook, datum: Datum): LinesOutcome {
  if (datum.customer === null) return { kind: "not-matched", variant: variantOfNobody(datum) };
  const owned = book.subscriptionsOf.get(datum.customer.id) ?? [];
  const subscriptions = subscriptionsFor(owned, datum.naming, datum.atMs);
  if (subscriptions.length === 0) return { kind: "not-matched", variant: "SUBSCRIPTION_NOT_FOUND" };
  const matches: Match[] = [];
  const askedBy = pricedBy(book, datum);
  let parts = 0;
  for (const subscription of subscriptions) {
    for (const asked of askedBy(subscription.planId)) {
      parts += 1 + asked.pricing.config.bands.length;
      if (parts > PARTS_MAX) return { kind: "too-many" };
      matches.push({ subscription, ...asked });
    }
  }
  if (matches.length === 0) return { kind: "not-matched", variant: "PRICING_NOT_FOUND" };
  const inCurrency = matches.filter(({ pricing, given }) => [null, pricing.config.currency].includes(given.currency));
  const lines = inCurrency.flatMap((match) => lineOf(match, datum.atMs));
  if (matches.some(({ pricing }) => pricing.rule === null)) return { kind: "not-supported", lines };
  return { kind: inCurrency.length < matches.length ? "failed" : "lines", lines };
}

function variantOfNobody({ isCustomerNamed, naming }: Datum): NotMatchedVariant {
  if (isCustomerNamed) return "CUSTOMER_NOT_FOUND";
  return naming.kind === "one" ? "SUBSCRIPTION_NOT_FOUND" : "CUSTOMER_NOT_NAMED";
}

type Match = Pick<Line, "subscription" | "pricing" | "given">;

/** The configs of a plan that ask for one of the values; worked out once for each plan, whoever subscribes to it. */
function pricedBy(book: PriceBook, { meter: { meter, propertyTypes }, values, properties }: Datum) {
  const known = new Map<string, readonly Omit<Match, "subscription">[]>();
  return (planId: string) => {
    const before = known.get(planId);
    if (before !== undefined) return before;
    const asked = values.flatMap((given) =>
      book
        .configsFor(planId, meter.reference, given.meterValue.reference)
        .filter(({ config }) => meetsAll(config.conditions, properties, propertyTypes))
        .map((pricing) => ({ pricing, given })),
    );
    known.set(planId, asked);
    return asked;
  };
}

/** Those of some lines that a datum of the same customer and meter, with one value, falls under as well. */
export function linesAmong(book: PriceBook, datum: Datum, lines: readonly Line[]): readonly Line[] {
  const [value] = datum.values;
  if (value === undefined || datum.customer === null) return [];
  const owned = book.subscriptionsOf.get(datum.customer.id) ?? [];
  const subscriptions = new Set(subscriptionsFor(owned, datum.naming, datum.atMs));
  const { propertyTypes } = datum.meter;
  const known = new Map<BookConfig, boolean>();
  const asks = (pricing: BookConfig): boolean => {
    const before = known.get(pricing) ?? meetsAll(pricing.config.conditions, datum.properties, propertyTypes);
    known.set(pricing, before);
    return before;
  };
  return lines.filter(
    ({ subscription, pricing, given }) =>
      given.meterValue === value.meterValue &&
      subscriptions.has(subscription) &&
      [null, pricing.config.currency].includes(value.currency) &&
      asks(pricing),
  );
}

function lineOf(match: Match, atMs: number): Line[] {
  const { rule } = match.pricing;
  if (rule === null) return [];
  return [{ ...match, rule, period: periodAt(match.subscription.startMs, rule.billing, atMs) }];
}
