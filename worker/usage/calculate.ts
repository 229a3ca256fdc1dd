/** A calculation: the event resolved against the catalog, its lines, the usage so far, the prediction. */
import type { JsonObject, JsonValue } from "../../shared/json/value.ts";
import type { LoadedCatalog } from "../catalog/catalogs.ts";
import type { DatumError, SentProperty, SentValue } from "../pricing/datum-parts.ts";
import { linesOf, type NotMatchedVariant, PARTS_MAX } from "../pricing/lines.ts";
import { type MeterData, readMeterData } from "../pricing/meter-data.ts";
import { type CostPrediction, predict } from "../pricing/predict.ts";
import { createPriceBook, type PriceBook } from "../pricing/price-book.ts";
import type { Selector } from "../pricing/select.ts";
import { objectsOf, plainValue } from "./measure.ts";
import type { UsageReader } from "./usage-so-far.ts";

export interface Calculation {
  readonly tenant: string;
  /** Of checked shape. */
  readonly event: JsonObject;
  /** Milliseconds since 1970: the moment of an event that names none. */
  readonly now: number;
  readonly isPredicted: boolean;
  /** The ledger key, in hex, of its own reference; null where it has none. */
  readonly key: string | null;
}

export type CalculateOutcome =
  | {
      readonly kind: "calculated";
      /** Why no price asks for the event; null where one does. */
      readonly notMatched: NotMatchedVariant | null;
      /** Its reference was accepted before: it costs nothing, whatever it says. */
      readonly isDuplicate: boolean;
      /** Null where none was asked for. */
      readonly prediction: CostPrediction | null;
    }
  /** At least one. */
  | { readonly kind: "errors"; readonly errors: readonly DatumError[] };

/** Reads, and never writes, one snapshot. Usage is read only where a prediction is asked for. */
export async function calculate(
  catalog: LoadedCatalog,
  usage: UsageReader,
  { tenant, event, now, isPredicted, key }: Calculation,
): Promise<CalculateOutcome> {
  const book = bookOf(catalog);
  const read = readMeterData(book, meterDataOf(event, now));
  if (read.kind === "errors") return read;
  const outcome = linesOf(book, read.datum);
  if (outcome.kind === "too-many" && isPredicted) return { kind: "errors", errors: [TOO_MANY] };
  const notMatched = outcome.kind === "not-matched" ? outcome.variant : null;
  const lines = isPredicted && outcome.kind === "lines" ? outcome.lines : [];
  const soFar = await usage.read({ tenant, book, datum: read.datum, lines, key });
  const added = soFar.isFiled ? "nothing" : "event";
  const prediction = isPredicted ? predict(outcome, (line) => soFar.usage.get(line), added) : null;
  return { kind: "calculated", notMatched, isDuplicate: soFar.isFiled, prediction };
}

const TOO_MANY: DatumError = {
  code: "INVALID_OPERATION",
  field: "pricing_plan_subscription_id",
  message: `more than ${PARTS_MAX} prices and bands ask for this event; name one of the customer's subscriptions`,
};

/** Made once for each catalog that an instance holds. */
const books = new WeakMap<LoadedCatalog, PriceBook>();

function bookOf(catalog: LoadedCatalog): PriceBook {
  const known = books.get(catalog) ?? createPriceBook(catalog.document);
  books.set(catalog, known);
  return known;
}

/** The members that pricing reads, as plain values; their shapes were checked before. */
function meterDataOf(event: JsonObject, now: number): MeterData {
  const text = (name: string) => textOf(event.get(name));
  const customer = event.get("customer");
  const selector = event.get("pricing_plan_subscription_selector");
  return {
    customer_id: text("customer_id"),
    customer_reference: text("customer_reference"),
    customer: customer instanceof Map ? { id: customer.get("id"), reference: customer.get("reference") } : null,
    meter_id: text("meter_id"),
    meter_reference: text("meter_reference"),
    pricing_plan_subscription_id: text("pricing_plan_subscription_id"),
    pricing_plan_subscription_reference: text("pricing_plan_subscription_reference"),
    pricing_plan_subscription_selector: selector instanceof Map ? (plainValue(selector) as Selector) : null,
    timestamp: text("timestamp") ?? new Date(now).toISOString(),
    meter_values: objectsOf(event.get("meter_values")).map(sentValue),
    meter_properties: objectsOf(event.get("meter_properties")).map(sentProperty),
  };
}

/** Members that were not sent stay absent: a value stands in the answer as it was sent. */
function sentValue(value: JsonObject): SentValue {
  const amount = value.get("amount");
  const given = ["id", "reference", "number", "count"].map((name) => [name, textOf(value.get(name))] as const);
  return {
    ...Object.fromEntries(given.filter(([, text]) => text !== null)),
    ...(amount instanceof Map
      ? { amount: { quantity: textOf(amount.get("quantity")) ?? "", currency: textOf(amount.get("currency")) ?? "" } }
      : {}),
  };
}

function sentProperty(property: JsonObject): SentProperty {
  return {
    id: textOf(property.get("id")),
    reference: textOf(property.get("reference")),
    value: textOf(property.get("value")),
  };
}

function textOf(value: JsonValue | undefined): string | null {
  return typeof value === "string" ? value : null;
}
