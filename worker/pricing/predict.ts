/** The cost prediction of an event: price(usage so far + event) − price(usage so far), line by line. */
import { noUsage, quantityOf, type Usage, withValue } from "./aggregate.ts";
import { type Decimal, decimalText, sumOf, ZERO } from "./decimal.ts";
import { type Detail, marginalPrice } from "./explain.ts";
import { instantText } from "./instant.ts";
import type { Line, LinesOutcome } from "./lines.ts";
import { priceOf } from "./price.ts";

export interface Amount {
  readonly quantity: string;
  readonly currency: string;
}

export interface PredictedLine {
  readonly pricing_item_id: string;
  readonly pricing_item_config_id: string;
  readonly pricing_type: string;
  readonly amounts: readonly Amount[];
  /** The event's value as it was sent. */
  readonly meter_value: unknown;
  readonly details: readonly Detail[];
}

export interface PredictedGroup {
  readonly pricing_plan_subscription_id: string;
  readonly lines: readonly PredictedLine[];
}

export interface PredictedPeriod {
  readonly start_at: string;
  readonly end_at: string;
  /** One for each subscription. */
  readonly groups: readonly PredictedGroup[];
}

/** One for each currency: amounts of several do not add up. */
export interface PredictedCost {
  readonly customer_id: string;
  readonly amount_excluding_tax: Amount;
  readonly amount_including_tax: null;
  readonly periods: readonly PredictedPeriod[];
}

export interface CostPrediction {
  readonly response: "OK" | "FAILED" | "NOT_SUPPORTED";
  readonly details: readonly PredictedCost[];
}

interface PricedLine {
  readonly line: Line;
  readonly amount: Decimal;
  readonly details: readonly Detail[];
}

/**
 * @param usageOf the usage so far of a line, in the line's period; undefined for none.
 * @param added "nothing" for an event that was accepted before: its lines cost 0.
 */
export function predict(
  outcome: LinesOutcome,
  usageOf: (line: Line) => Usage | undefined,
  added: "event" | "nothing" = "event",
): CostPrediction {
  switch (outcome.kind) {
    case "not-matched":
      return { response: "OK", details: [] };
    case "not-supported":
      return { response: "NOT_SUPPORTED", details: [] };
    // Nobody was told of any: see calculate.ts.
    case "too-many":
    case "failed":
      return { response: "FAILED", details: [] };
    case "lines": {
      const priced = outcome.lines.map((line) =>
        added === "nothing" ? { line, amount: ZERO, details: [] } : priceLine(line, usageOf(line)),
      );
      const costs = Map.groupBy(priced, ({ line }) => line.pricing.config.currency);
      return { response: "OK", details: [...costs].map(([currency, lines]) => costOf(currency, lines)) };
    }
  }
}

function priceLine(line: Line, soFar: Usage = noUsage(line.given.meterValue.calculation)): PricedLine {
  const before = priceOf(line.rule, quantityOf(soFar));
  const after = priceOf(line.rule, quantityOf(withValue(soFar, line.given.value)));
  return { line, ...marginalPrice(line.rule, before, after) };
}

function costOf(currency: string, lines: readonly PricedLine[]): PredictedCost {
  const periods = Map.groupBy(lines, ({ line }) => `${line.period.startMs} ${line.period.endMs}`);
  return {
    customer_id: lines[0]?.line.subscription.customerId ?? "",
    amount_excluding_tax: { quantity: decimalText(sumOf(lines.map(({ amount }) => amount))), currency },
    amount_including_tax: null,
    periods: [...periods.values()].map(periodOf),
  };
}

function periodOf(lines: readonly PricedLine[]): PredictedPeriod {
  const groups = Map.groupBy(lines, ({ line }) => line.subscription.id);
  return {
    start_at: instantText(lines[0]?.line.period.startMs ?? 0),
    end_at: instantText(lines[0]?.line.period.endMs ?? 0),
    groups: [...groups].map(([id, members]) => ({
      pricing_plan_subscription_id: id,
      lines: members.map(predictedLine),
    })),
  };
}

function predictedLine({ line, amount, details }: PricedLine): PredictedLine {
  const { item, config } = line.pricing;
  return {
    pricing_item_id: item.id,
    pricing_item_config_id: config.id,
    pricing_type: config.pricing_type,
    amounts: [{ quantity: decimalText(amount), currency: config.currency }],
    meter_value: line.given.sent,
    details,
  };
}
