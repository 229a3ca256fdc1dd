/** Meter data resolved against a catalog: whose, under which subscription, of which meter, when and how much. */
import type { Customer } from "./catalog.ts";
import { type DatumError, readProperties, readValues, type SentProperty, type SentValue } from "./datum-parts.ts";
import { instantOf } from "./instant.ts";
import type { Datum } from "./lines.ts";
import { findNamed, type NamedOutcome, namingOf } from "./named.ts";
import type { BookMeter, PriceBook } from "./price-book.ts";
import type { Naming, Selector } from "./select.ts";

type Maybe<T> = T | null | undefined;

/** Meter data whose shape was checked before. Decimals are strings, so plain JSON values lose nothing. */
export interface MeterData {
  readonly customer_id?: Maybe<string>;
  readonly customer_reference?: Maybe<string>;
  readonly customer?: Maybe<{ readonly id?: unknown; readonly reference?: unknown }>;
  readonly meter_id?: Maybe<string>;
  readonly meter_reference?: Maybe<string>;
  readonly pricing_plan_subscription_id?: Maybe<string>;
  readonly pricing_plan_subscription_reference?: Maybe<string>;
  readonly pricing_plan_subscription_selector?: Maybe<Selector>;
  /** Filled in by the caller where it was absent. */
  readonly timestamp: string;
  readonly meter_values?: Maybe<readonly SentValue[]>;
  readonly meter_properties?: Maybe<readonly SentProperty[]>;
}

export type DatumOutcome =
  | { readonly kind: "datum"; readonly datum: Datum }
  /** At least one; the first in the order of the fields first. */
  | { readonly kind: "errors"; readonly errors: readonly DatumError[] };

/** An unknown customer or subscription is no error: nothing prices such data, nothing more. */
export function readMeterData(book: PriceBook, data: MeterData): DatumOutcome {
  const errors: DatumError[] = [];
  const customer = readCustomer(book, data, errors);
  const meter = readMeter(book, data, errors);
  const naming = readNaming(book, data, errors);
  const atMs = instantOf(data.timestamp);
  if (atMs === null) errors.push({ code: "INVALID_FIELD", field: "timestamp", message: "must be a date-time" });
  if (meter === null || atMs === null) return { kind: "errors", errors };
  const properties = readProperties(meter, data.meter_properties ?? [], errors);
  const values = readValues(meter, data.meter_values ?? [], errors);
  if (errors.length > 0) return { kind: "errors", errors };
  const whose = customer.kind === "unnamed" ? ownerOf(book, naming) : customer;
  return {
    kind: "datum",
    datum: {
      customer: whose.kind === "found" ? whose.thing : null,
      isCustomerNamed: whose.kind !== "unnamed",
      ...{ naming, meter, atMs, values, properties },
    },
  };
}

/** A named subscription names its customer. */
function ownerOf(book: PriceBook, naming: Naming): NamedOutcome<Customer> {
  const id = naming.kind === "one" ? (naming.subscription?.customerId ?? null) : null;
  return findNamed(book.customers, { id, reference: null });
}

function readCustomer(book: PriceBook, data: MeterData, errors: DatumError[]): NamedOutcome<Customer> {
  const naming = namingOf(data.customer_id ?? data.customer?.id, data.customer_reference ?? data.customer?.reference);
  const found = findNamed(book.customers, naming);
  if (found.kind === "disagree") {
    errors.push({ code: "INVALID_FIELD", field: "customer_reference", message: "names another customer than the id" });
  }
  return found;
}

function readMeter(book: PriceBook, data: MeterData, errors: DatumError[]): BookMeter | null {
  const naming = namingOf(data.meter_id, data.meter_reference);
  const found = findNamed(book.meters, naming);
  switch (found.kind) {
    case "found": {
      if (found.thing.meter.status !== "ARCHIVED") return found.thing;
      const field = naming.id === null ? "meter_reference" : "meter_id";
      errors.push({ code: "INVALID_OPERATION", field, message: "names an archived meter" });
      return null;
    }
    case "unnamed":
      errors.push({ code: "MISSING_FIELD", field: "meter_id", message: "name the meter by its id or reference" });
      return null;
    case "unknown":
      errors.push(unknownMeter(found.by));
      return null;
    case "disagree": {
      const message = "names another meter than the id";
      errors.push(
        found.unknown === null
          ? { code: "INVALID_FIELD", field: "meter_reference", message }
          : unknownMeter(found.unknown),
      );
      return null;
    }
  }
}

function unknownMeter(by: "id" | "reference"): DatumError {
  return { code: "METER_NOT_FOUND", field: `meter_${by}`, message: "names no meter of the catalog" };
}

function readNaming(book: PriceBook, data: MeterData, errors: DatumError[]): Naming {
  const naming = namingOf(data.pricing_plan_subscription_id, data.pricing_plan_subscription_reference);
  const found = findNamed(book.subscriptions, naming);
  if (found.kind === "disagree") {
    const message = "names another subscription than the id";
    errors.push({ code: "INVALID_FIELD", field: "pricing_plan_subscription_reference", message });
  }
  if (found.kind === "found") return { kind: "one", subscription: found.thing };
  if (found.kind !== "unnamed") return { kind: "one", subscription: null };
  const selector = data.pricing_plan_subscription_selector;
  return selector === null || selector === undefined ? { kind: "all" } : { kind: "selector", selector };
}
