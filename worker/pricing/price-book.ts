/** A tenant's catalog arranged for pricing: everything found by key, decimals and dates read once. */
import type {
  Customer,
  Meter,
  MeterProperty,
  MeterValue,
  PricingCatalog,
  PricingItem,
  PricingItemConfig,
} from "./catalog.ts";
import type { PropertyTypes } from "./conditions.ts";
import { instantOf } from "./instant.ts";
import { type PriceRule, priceRuleOf } from "./price-rule.ts";

/** Things known by an id, a reference, or both. */
export interface Index<T> {
  readonly byId: ReadonlyMap<string, T>;
  readonly byReference: ReadonlyMap<string, T>;
}

export interface BookMeter {
  readonly meter: Meter;
  readonly values: Index<MeterValue>;
  readonly properties: Index<MeterProperty>;
  readonly propertyTypes: PropertyTypes;
}

export interface BookSubscription {
  readonly id: string;
  readonly reference: string;
  readonly customerId: string;
  readonly planId: string;
  /** Active in `[startMs, endMs)`. */
  readonly startMs: number;
  /** Infinity for no end. */
  readonly endMs: number;
}

export interface BookConfig {
  readonly item: PricingItem;
  readonly config: PricingItemConfig;
  /** Null for a top-up. */
  readonly rule: PriceRule | null;
}

export interface PriceBook {
  readonly meters: Index<BookMeter>;
  readonly customers: Index<Customer>;
  readonly subscriptions: Index<BookSubscription>;
  /** By customer id, in the catalog's order. */
  readonly subscriptionsOf: ReadonlyMap<string, readonly BookSubscription[]>;
  /** What a plan asks for a meter's value; empty where it asks nothing. */
  configsFor(planId: string, meterReference: string, valueReference: string): readonly BookConfig[];
}

/** @param catalog a checked one. */
export function createPriceBook(catalog: PricingCatalog): PriceBook {
  const subscriptions = catalog.subscriptions.map((subscription) => ({
    id: subscription.id,
    reference: subscription.reference,
    customerId: subscription.customer_id,
    planId: subscription.pricing_plan_id,
    startMs: instantOf(subscription.start_at) ?? Number.POSITIVE_INFINITY,
    endMs: instantOf(subscription.end_at ?? "") ?? Number.POSITIVE_INFINITY,
  }));
  const configs = configsByKey(catalog);
  return {
    meters: indexOf(catalog.meters.map(bookMeter), ({ meter }) => meter),
    customers: indexOf(catalog.customers, (customer) => customer),
    subscriptions: indexOf(subscriptions, (subscription) => subscription),
    subscriptionsOf: Map.groupBy(subscriptions, (subscription) => subscription.customerId),
    configsFor: (...key) => configs.get(JSON.stringify(key)) ?? [],
  };
}

function bookMeter(meter: Meter): BookMeter {
  return {
    meter,
    values: indexOf(meter.meter_values, (value) => value),
    properties: indexOf(meter.meter_properties, (property) => property),
    propertyTypes: new Map(meter.meter_properties.map(({ reference, type }) => [reference, type])),
  };
}

function configsByKey(catalog: PricingCatalog): Map<string, BookConfig[]> {
  const configs = new Map<string, BookConfig[]>();
  for (const plan of catalog.pricing_plans) {
    for (const item of plan.pricings.flatMap((pricing) => pricing.pricing_items)) {
      const key = JSON.stringify([plan.id, item.meter_reference, item.meter_value_reference]);
      const asked = item.configs.map((config) => ({ item, config, rule: priceRuleOf(config) }));
      configs.set(key, [...(configs.get(key) ?? []), ...asked]);
    }
  }
  return configs;
}

function indexOf<T>(
  things: readonly T[],
  nameOf: (thing: T) => { readonly id?: string | null | undefined; readonly reference: string },
): Index<T> {
  const byId = new Map<string, T>();
  const byReference = new Map<string, T>();
  for (const thing of things) {
    const { id, reference } = nameOf(thing);
    if (id !== null && id !== undefined) byId.set(id, thing);
    byReference.set(reference, thing);
  }
  return { byId, byReference };
}
