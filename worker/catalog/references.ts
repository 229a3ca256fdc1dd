/** What a tenant's catalog knows, for tenants whose events may name nothing else (`settings.catalog: strict`). */
import type { SolvimonKind } from "../../shared/events/kind.ts";
import type { SolvimonCode, SolvimonReason } from "../../shared/intake/solvimon-answer.ts";
import type { JsonObject, JsonValue } from "../../shared/json/value.ts";
import type { Catalog } from "./schema/document.ts";

export interface CatalogReferences {
  /** Ids and references of an event that the catalog does not have, in the order of the vendor's fields. */
  unknown(kind: SolvimonKind, event: JsonObject): SolvimonReason[];
}

type Names = ReadonlySet<string>;

/** Where a field's name must stand in the catalog, and the code of one that does not. */
type Lookup = readonly [field: string, names: Names, code: SolvimonCode];

/** Null for a tenant whose events are not held against its catalog. */
export function referencesOf(catalog: Catalog): CatalogReferences | null {
  if (catalog.settings.catalog !== "strict") return null;
  const pricings = catalog.pricing_plans.flatMap((plan) => plan.pricings);
  const items = pricings.flatMap((pricing) => pricing.pricing_items);
  const set = (names: readonly (string | null | undefined)[]): Names =>
    new Set(names.filter((name) => typeof name === "string"));
  const customerIds = set(catalog.customers.map((one) => one.id));
  const customerReferences = set(catalog.customers.map((one) => one.reference));
  const customers: Lookup[] = [
    ["customer_id", customerIds, "CUSTOMER_NOT_FOUND"],
    ["customer_reference", customerReferences, "CUSTOMER_NOT_FOUND"],
  ];
  const nested: Lookup[] = [
    ["id", customerIds, "CUSTOMER_NOT_FOUND"],
    ["reference", customerReferences, "CUSTOMER_NOT_FOUND"],
  ];
  const subscriptions: Lookup[] = [
    ["pricing_plan_subscription_id", set(catalog.subscriptions.map((one) => one.id)), "RESOURCE_NOT_FOUND"],
    [
      "pricing_plan_subscription_reference",
      set(catalog.subscriptions.map((one) => one.reference)),
      "RESOURCE_NOT_FOUND",
    ],
  ];
  const priced: Lookup[] = [
    ["pricing_id", set(pricings.map((one) => one.id)), "PRICING_NOT_FOUND"],
    ["pricing_item_id", set(items.map((one) => one.id)), "PRICING_ITEM_NOT_FOUND"],
    [
      "pricing_item_config_id",
      set(items.flatMap((one) => one.configs.map((config) => config.id))),
      "RESOURCE_NOT_FOUND",
    ],
  ];
  const product: Lookup = [
    "product_item_id",
    set(catalog.product_items.map((one) => one.id)),
    "PRODUCT_ITEM_NOT_FOUND",
  ];
  const meters: Lookup[] = [
    ["meter_id", set(catalog.meters.map((one) => one.id)), "METER_NOT_FOUND"],
    ["meter_reference", set(catalog.meters.map((one) => one.reference)), "METER_NOT_FOUND"],
  ];
  const lookups: Record<SolvimonKind, readonly Lookup[]> = {
    persist: [...priced, ...customers, ...subscriptions],
    charge: [product, ...priced, ...customers, ...subscriptions],
    adjustment: [product, ...customers, ...subscriptions],
    "meter-data": [...customers, ...meters, ...subscriptions],
  };
  return {
    unknown(kind, event) {
      const named = lookups[kind].flatMap((lookup) => missing(lookup, event, ""));
      if (kind !== "meter-data") return named;
      const customer = event.get("customer");
      const within = customer instanceof Map ? nested.flatMap((lookup) => missing(lookup, customer, "customer.")) : [];
      return [...named, ...within, ...refusedMeter(catalog, event)];
    },
  };
}

function missing([field, names, code]: Lookup, event: JsonObject, prefix: string): SolvimonReason[] {
  const name = event.get(field);
  if (typeof name !== "string" || names.has(name)) return [];
  return [
    { code, message: `the catalog has no ${field} ${JSON.stringify(name.slice(0, 100))}`, field: prefix + field },
  ];
}

/** What the meter that the event names does not take: anything, where it is archived. */
function refusedMeter(catalog: Catalog, event: JsonObject): SolvimonReason[] {
  const [id, reference] = [event.get("meter_id"), event.get("meter_reference")];
  const meter = catalog.meters.find((one) => one.id === id || one.reference === reference);
  if (meter === undefined) return [];
  if (meter.status !== "ARCHIVED") return unknownParts(meter, event);
  const field = meter.id === id ? "meter_id" : "meter_reference";
  return [{ code: "INVALID_OPERATION", message: `${field} names an archived meter`, field }];
}

/** Values and properties are looked up in the meter that the event names. */
function unknownParts(meter: Catalog["meters"][number], event: JsonObject): SolvimonReason[] {
  const parts = (
    list: readonly { readonly id?: string | null | undefined; readonly reference: string }[],
    code: SolvimonCode,
  ): Lookup[] => [
    ["id", new Set(list.flatMap((one) => (typeof one.id === "string" ? [one.id] : []))), code],
    ["reference", new Set(list.map((one) => one.reference)), code],
  ];
  const each = (field: string, lookups: readonly Lookup[]) =>
    itemsOf(event.get(field)).flatMap((item, i) =>
      item instanceof Map ? lookups.flatMap((lookup) => missing(lookup, item, `${field}.${i}.`)) : [],
    );
  return [
    ...each("meter_properties", parts(meter.meter_properties, "METER_PROPERTY_NOT_FOUND")),
    ...each("meter_values", parts(meter.meter_values, "METER_VALUE_NOT_FOUND")),
  ];
}

function itemsOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}
