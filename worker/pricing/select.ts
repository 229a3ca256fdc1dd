/** Which of a customer's subscriptions an event is priced under. */
import type { BookSubscription } from "./price-book.ts";

/** What Solvimon calls a selector; every member may be missing. */
export interface Selector {
  /** Values that rules compare with. */
  readonly data?: readonly { readonly field: string; readonly value?: unknown }[] | null | undefined;
  /** A comparison of a field with its datum. */
  readonly rules?: readonly { readonly field: string; readonly type?: unknown }[] | null | undefined;
  /** A comparison of a field with a value. */
  readonly filters?: readonly Comparison[] | null | undefined;
  readonly fallback?: unknown;
}

interface Comparison {
  readonly field: string;
  /** EQUALS where absent. */
  readonly type?: unknown;
  readonly value?: unknown;
}

export type Naming =
  /** Nothing names a subscription: every active one of the customer. */
  | { readonly kind: "all" }
  /** By id or reference; null where it names none that the catalog knows. */
  | { readonly kind: "one"; readonly subscription: BookSubscription | null }
  | { readonly kind: "selector"; readonly selector: Selector };

/**
 * Those active at the moment, in `[start_at, end_at)`, that the event names.
 * @param owned the customer's subscriptions.
 */
export function subscriptionsFor(
  owned: readonly BookSubscription[],
  naming: Naming,
  atMs: number,
): readonly BookSubscription[] {
  const active = owned.filter(({ startMs, endMs }) => startMs <= atMs && atMs < endMs);
  switch (naming.kind) {
    case "all":
      return active;
    case "one":
      return active.filter(({ id }) => id === naming.subscription?.id);
    case "selector":
      return selected(active, naming.selector);
  }
}

/** Filters narrow; of several left LATEST takes the latest start_at (then the one listed last), anything else none. */
function selected(active: readonly BookSubscription[], selector: Selector): readonly BookSubscription[] {
  const data = new Map((selector.data ?? []).map(({ field, value }) => [field, value]));
  const comparisons: Comparison[] = [
    ...(selector.filters ?? []),
    ...(selector.rules ?? []).map(({ field, type }) => ({ field, type, value: data.get(field) })),
  ];
  const left = active.filter((subscription) => comparisons.every((comparison) => holds(subscription, comparison)));
  if (left.length <= 1) return left;
  if (selector.fallback !== "LATEST") return [];
  return [left.reduce((latest, next) => (next.startMs >= latest.startMs ? next : latest))];
}

/** A comparison that Weir does not know holds for nothing: no price is better than a wrong one. */
function holds(subscription: BookSubscription, { field, type, value }: Comparison): boolean {
  const given = fieldOf(subscription, field);
  if (given === null) return false;
  const isAmong = (Array.isArray(value) ? value : [value]).includes(given);
  switch (type ?? "EQUALS") {
    case "EQUALS":
    case "IN":
      return isAmong;
    case "NOT_EQUALS":
    case "NOT_IN":
      return !isAmong;
    default:
      return false;
  }
}

function fieldOf(subscription: BookSubscription, field: string): string | null {
  switch (field) {
    case "id":
    case "pricing_plan_subscription_id":
      return subscription.id;
    case "reference":
    case "pricing_plan_subscription_reference":
      return subscription.reference;
    case "customer_id":
      return subscription.customerId;
    case "pricing_plan_id":
      return subscription.planId;
    default:
      return null;
  }
}
