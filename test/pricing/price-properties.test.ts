/** What holds for every price, asked of random configs and quantities. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { noUsage, quantityOf, type Usage, withValue } from "../../worker/pricing/aggregate.ts";
import { CALCULATIONS, type PricingItemConfig } from "../../worker/pricing/catalog.ts";
import { type Decimal, decimalOf, decimalText, sumOf } from "../../worker/pricing/decimal.ts";
import { marginalPrice } from "../../worker/pricing/explain.ts";
import { priceOf } from "../../worker/pricing/price.ts";
import { priceRuleOf } from "../../worker/pricing/price-rule.ts";
import { quantity } from "./support/priced.ts";
import { quantities, randomConfig } from "./support/random-config.ts";
import { scaled, secondPrice } from "./support/second-price.ts";

function rule(config: PricingItemConfig) {
  const read = priceRuleOf(config);
  if (read === null) throw new Error("a top-up has no rule");
  return read;
}

function price(config: PricingItemConfig, units: string, per = 1): Decimal {
  return priceOf(rule(config), quantity(units, per)).amount;
}

function predictedFor(config: PricingItemConfig, soFar: Usage, value: string) {
  const before = priceOf(rule(config), quantityOf(soFar));
  const after = priceOf(rule(config), quantityOf(withValue(soFar, decimalOf(value))));
  return marginalPrice(rule(config), before, after);
}

describe("the price", () => {
  test("is what a second, plain implementation says, for 10,000 configs and quantities", () => {
    const hits = { free: 0, charged: 0 };
    fc.assert(
      fc.property(randomConfig(), quantities(), fc.constantFrom(1, 1, 2, 3, 7), (config, units, per) => {
        const amount = price(config, units, per);
        hits[amount.eq("0") ? "free" : "charged"]++;
        expect(scaled(decimalText(amount))).toBe(secondPrice(config, units, BigInt(per)));
      }),
      { numRuns: 10_000 },
    );
    expect(hits.charged, "most of them must be charged for the test to mean something").toBeGreaterThan(3_000);
  });

  test("TIERED is what its units cost one by one", () => {
    const configs = randomConfig().filter(({ pricing_type }) => pricing_type === "TIERED");
    fc.assert(
      fc.property(configs, fc.integer({ min: 0, max: 60 }), (config, units) => {
        const tops = config.bands.map((band) => ({ ...band, tier_top_bound: wholeBound(band.tier_top_bound) }));
        const bands = tops.filter((band, i) => band.tier_top_bound !== tops[i - 1]?.tier_top_bound);
        const plain = {
          ...config,
          bands: bands.map((band) => ({ ...band, block_size: null })),
          min_amount: null,
          max_amount: null,
        };
        let total = 0n;
        const entered = new Set<unknown>();
        for (let unit = 1; unit <= units - Math.ceil(Number(config.included_volume?.number ?? 0)); unit++) {
          const band = plain.bands.find((one) => one.tier_top_bound === null || unit <= Number(one.tier_top_bound));
          total += scaled(band?.amount) + (entered.has(band) ? 0n : scaled(band?.fixed_amount));
          entered.add(band);
        }
        const included = { number: String(Math.ceil(Number(config.included_volume?.number ?? 0))) };
        expect(scaled(decimalText(price({ ...plain, included_volume: included }, String(units))))).toBe(total);
      }),
      { numRuns: 500 },
    );
  });

  test("never falls as the quantity rises where no rate is negative", () => {
    fc.assert(
      fc.property(randomConfig(0), quantities(), quantities(), (config, a, b) => {
        // A higher band of TOP_TIERED may be cheaper for all of the quantity: that is what it is for.
        fc.pre(config.pricing_type !== "TOP_TIERED");
        const [less, more] = decimalOf(a).lt(decimalOf(b)) ? [a, b] : [b, a];
        expect(price(config, less).lte(price(config, more))).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });
});

function wholeBound(bound: string | null | undefined): string | null {
  return bound === null || bound === undefined ? null : String(Math.ceil(Number(bound)));
}

describe("a prediction", () => {
  test("of a, then of b after a, is the prediction of a + b", () => {
    fc.assert(
      fc.property(randomConfig(), quantities(), quantities(), quantities(), (config, start, a, b) => {
        const soFar = withValue(noUsage("SUM"), decimalOf(start));
        const both = decimalText(decimalOf(a).plus(decimalOf(b)));
        const first = predictedFor(config, soFar, a).amount;
        const second = predictedFor(config, withValue(soFar, decimalOf(a)), b).amount;
        expect(decimalText(first.plus(second))).toBe(decimalText(predictedFor(config, soFar, both).amount));
      }),
      { numRuns: 3_000 },
    );
  });

  test("after prediction adds up to the price of the whole, for every calculation", () => {
    const values = fc.array(quantities(), { maxLength: 12 });
    fc.assert(
      fc.property(randomConfig(), fc.constantFrom(...CALCULATIONS), values, (config, calculation, events) => {
        let usage = noUsage(calculation);
        const amounts = events.map((value) => {
          const { amount } = predictedFor(config, usage, value);
          usage = withValue(usage, decimalOf(value));
          return amount;
        });
        expect(decimalText(sumOf(amounts))).toBe(decimalText(priceOf(rule(config), quantityOf(usage)).amount));
      }),
      { numRuns: 2_000 },
    );
  });

  test("is explained by parts that add up to it, and by units that do", () => {
    fc.assert(
      fc.property(randomConfig(), quantities(), quantities(), (config, start, value) => {
        const soFar = withValue(noUsage("SUM"), decimalOf(start));
        const { amount, details } = predictedFor(config, soFar, value);
        expect(decimalText(sumOf(details.map((detail) => decimalOf(detail.amount))))).toBe(decimalText(amount));
        if (!["FLAT", "TIERED", "TOP_TIERED", "PASS_THROUGH"].includes(config.pricing_type)) return;
        const floor = (text: Decimal) => (text.gt("0") ? text : decimalOf("0"));
        const moved = floor(decimalOf(start).plus(decimalOf(value))).minus(floor(decimalOf(start)));
        expect(decimalText(sumOf(details.map((detail) => decimalOf(detail.units))))).toBe(decimalText(moved));
      }),
      { numRuns: 3_000 },
    );
  });
});
