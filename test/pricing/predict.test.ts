import { describe, expect, test } from "vitest";
import { noUsage, type Usage, withValue } from "../../worker/pricing/aggregate.ts";
import { decimalOf } from "../../worker/pricing/decimal.ts";
import { type Line, linesOf } from "../../worker/pricing/lines.ts";
import { type MeterData, readMeterData } from "../../worker/pricing/meter-data.ts";
import { type CostPrediction, predict } from "../../worker/pricing/predict.ts";
import { smallBook } from "./support/small-catalog.ts";

const book = smallBook();
const IN_APRIL = "2026-04-10T12:00:00Z";

function dataWith(data: Partial<MeterData>): MeterData {
  return {
    customer_id: "c1",
    meter_reference: "api",
    timestamp: IN_APRIL,
    meter_values: [{ reference: "calls", number: "10" }],
    ...data,
  };
}

function linesFor(data: Partial<MeterData>) {
  const read = readMeterData(book, dataWith(data));
  if (read.kind === "errors") throw new Error(JSON.stringify(read.errors));
  return linesOf(book, read.datum);
}

function configsFor(data: Partial<MeterData>): string[] {
  const outcome = linesFor(data);
  return outcome.kind === "not-matched" || outcome.kind === "too-many"
    ? []
    : outcome.lines.map((line) => line.pricing.config.id);
}

function prediction(data: Partial<MeterData>, usageOf: (line: Line) => Usage | undefined = () => undefined) {
  return predict(linesFor(data), usageOf);
}

function total({ details }: CostPrediction): string[] {
  return details.map(({ amount_excluding_tax: { quantity, currency } }) => `${quantity} ${currency}`);
}

describe("the subscriptions an event is priced under", () => {
  test.each<[string, Partial<MeterData>, string[]]>([
    ["every active one where none is named", {}, ["all", "year"]],
    ["before another begins, only the first", { timestamp: "2026-02-28T23:59:59Z" }, ["all"]],
    ["at the very start, both", { timestamp: "2026-03-01T00:00:00Z" }, ["all", "year"]],
    ["at the very end, the ended one no longer", { timestamp: "2026-07-01T00:00:00Z" }, ["all"]],
    ["the named one alone, by id", { pricing_plan_subscription_id: "s2" }, ["year"]],
    ["the named one alone, by reference", { pricing_plan_subscription_reference: "first" }, ["all"]],
    [
      "none where the named one is not active",
      { pricing_plan_subscription_id: "s2", timestamp: "2026-08-01T00:00:00Z" },
      [],
    ],
    ["none where the named one is another customer's", { pricing_plan_subscription_id: "s3" }, []],
    ["none where the named one is unknown", { pricing_plan_subscription_id: "nobody" }, []],
    ["none for an unknown customer", { customer_id: "nobody" }, []],
    ["none without a customer", { customer_id: null }, []],
    ["a customer by reference", { customer_id: null, customer_reference: "one" }, ["all", "year"]],
    ["a customer by the object", { customer_id: null, customer: { reference: "one" } }, ["all", "year"]],
  ])("%s", (_, data, configs) => {
    expect(configsFor(data)).toEqual(configs);
  });

  test.each<[string, MeterData["pricing_plan_subscription_selector"], string[]]>([
    ["LATEST takes the latest start", { fallback: "LATEST" }, ["year"]],
    ["NONE takes none of several", { fallback: "NONE" }, []],
    ["no fallback takes none of several", {}, []],
    [
      "a filter that leaves one needs no fallback",
      { filters: [{ field: "id", type: "EQUALS", value: "s1" }] },
      ["all"],
    ],
    [
      "NOT_IN leaves the others",
      { filters: [{ field: "reference", type: "NOT_IN", value: ["first"] }], fallback: "NONE" },
      ["year"],
    ],
    [
      "a rule compares with its datum",
      {
        data: [{ field: "pricing_plan_id", value: "plan" }],
        rules: [{ field: "pricing_plan_id", type: "EQUALS" }],
        fallback: "NONE",
      },
      ["all"],
    ],
    ["an unknown field holds for nothing", { filters: [{ field: "colour", value: "red" }], fallback: "LATEST" }, []],
    ["an unknown comparison holds for nothing", { filters: [{ field: "id", type: "LIKE", value: "s1" }] }, []],
  ])("by a selector: %s", (_, selector, configs) => {
    expect(configsFor({ pricing_plan_subscription_selector: selector })).toEqual(configs);
  });
});

describe("a prediction", () => {
  test("has a line for each config whose conditions hold", () => {
    const data = { pricing_plan_subscription_id: "s1", meter_properties: [{ reference: "region", value: "eu" }] };
    expect(prediction(data)).toEqual({
      response: "OK",
      details: [
        {
          customer_id: "c1",
          amount_excluding_tax: { quantity: "15", currency: "EUR" },
          amount_including_tax: null,
          periods: [
            {
              start_at: "2026-04-01T00:00:00Z",
              end_at: "2026-05-01T00:00:00Z",
              groups: [
                {
                  pricing_plan_subscription_id: "s1",
                  lines: [
                    {
                      pricing_item_id: "i1",
                      pricing_item_config_id: "all",
                      pricing_type: "FLAT",
                      amounts: [{ quantity: "10", currency: "EUR" }],
                      meter_value: { reference: "calls", number: "10" },
                      details: [{ tier_top_bound: null, units: "10", rate: "1", amount: "10", part: "UNITS" }],
                    },
                    {
                      pricing_item_id: "i1",
                      pricing_item_config_id: "eu",
                      pricing_type: "FLAT",
                      amounts: [{ quantity: "5", currency: "EUR" }],
                      meter_value: { reference: "calls", number: "10" },
                      details: [{ tier_top_bound: null, units: "10", rate: "0.5", amount: "5", part: "UNITS" }],
                    },
                  ],
                },
              ],
            },
          ],
        },
      ],
    });
  });

  test("keeps periods apart", () => {
    const [cost] = prediction({}).details;
    expect(cost?.periods.map(({ start_at, end_at }) => `${start_at} ${end_at}`)).toEqual([
      "2026-04-01T00:00:00Z 2026-05-01T00:00:00Z",
      "2026-03-01T00:00:00Z 2027-03-01T00:00:00Z",
    ]);
  });

  test("keeps currencies apart, since they do not add up", () => {
    expect(total(prediction({ customer_id: "c2", timestamp: "2026-10-01T00:00:00Z" }))).toEqual(["10 EUR", "30 USD"]);
  });

  test("of several values prices each", () => {
    const meter_values = [
      { reference: "calls", count: "2" },
      { id: "v2", number: "7" },
      { reference: "fees", amount: { quantity: "200", currency: "EUR" } },
    ];
    expect(total(prediction({ pricing_plan_subscription_id: "s1", meter_values }))).toEqual(["18 EUR"]);
  });

  test("adds nothing for a seat that was there before", () => {
    const seat = {
      pricing_plan_subscription_id: "s1",
      meter_values: [
        { reference: "calls", number: "0" },
        { reference: "seats", number: "7.0" },
      ],
    };
    const seats = withValue(noUsage("UNIQUE"), decimalOf("7"));
    const usageOf = (line: Line) => (line.pricing.config.id === "seats" ? seats : undefined);
    expect(total(prediction(seat))).toEqual(["10 EUR"]);
    expect(total(prediction(seat, usageOf))).toEqual(["0 EUR"]);
  });

  test("may be negative", () => {
    const usageOf = () => withValue(noUsage("SUM"), decimalOf("8"));
    const meter_values = [{ reference: "calls", number: "-3" }];
    expect(total(prediction({ pricing_plan_subscription_id: "s1", meter_values }, usageOf))).toEqual(["-3 EUR"]);
  });

  test("is not supported where a top-up is among the matches, and counts the others' usage even so", () => {
    const data = {
      meter_values: [
        { reference: "calls", number: "1" },
        { reference: "credits", number: "1" },
      ],
    };
    expect(prediction(data)).toEqual({ response: "NOT_SUPPORTED", details: [] });
    expect(configsFor(data)).toEqual(["all", "year"]);
  });

  test("fails where an amount meets a price in another currency", () => {
    const fees = { reference: "fees", amount: { quantity: "1", currency: "USD" } };
    expect(prediction({ meter_values: [{ reference: "calls", number: "1" }, fees] })).toEqual({
      response: "FAILED",
      details: [],
    });
  });

  test("of what nothing asks for has no lines", () => {
    expect(linesFor({ customer_id: "nobody" }).kind).toBe("not-matched");
    expect(prediction({ customer_id: "nobody" })).toEqual({ response: "OK", details: [] });
  });
});

describe("meter data", () => {
  test.each<[Partial<MeterData>, string[]]>([
    [{ meter_reference: null }, ["MISSING_FIELD meter_id"]],
    [{ meter_reference: "nope" }, ["METER_NOT_FOUND meter_reference"]],
    [{ meter_id: "nope", meter_reference: null }, ["METER_NOT_FOUND meter_id"]],
    [{ meter_id: "m2" }, ["INVALID_FIELD meter_reference"]],
    [{ meter_id: "nope" }, ["METER_NOT_FOUND meter_id"]],
    [{ customer_reference: "two" }, ["INVALID_FIELD customer_reference"]],
    [
      { pricing_plan_subscription_id: "s1", pricing_plan_subscription_reference: "second" },
      ["INVALID_FIELD pricing_plan_subscription_reference"],
    ],
    [{ timestamp: "yesterday" }, ["INVALID_FIELD timestamp"]],
    [{ meter_values: null }, ["MISSING_FIELD meter_values"]],
    [{ meter_values: [{ reference: "seats", number: "1" }] }, ["MISSING_FIELD meter_values"]],
    [
      { meter_values: [{ reference: "nope", number: "1" }] },
      ["METER_VALUE_NOT_FOUND meter_values.0.reference", "MISSING_FIELD meter_values"],
    ],
    [
      {
        meter_values: [
          { reference: "calls", number: "1" },
          { id: "nope", number: "1" },
        ],
      },
      ["METER_VALUE_NOT_FOUND meter_values.1.id"],
    ],
    [
      { meter_values: [{ id: "v2", reference: "calls", number: "1" }] },
      ["INVALID_FIELD meter_values.0.reference", "MISSING_FIELD meter_values"],
    ],
    [{ meter_values: [{ reference: "calls" }] }, ["MISSING_FIELD meter_values.0.number"]],
    [{ meter_values: [{ reference: "calls", number: "1e3" }] }, ["INVALID_FIELD meter_values.0.number"]],
    [
      { meter_values: [{ reference: "calls", amount: { quantity: "1", currency: "EUR" } }] },
      ["MISSING_FIELD meter_values.0.number"],
    ],
    [
      {
        meter_values: [
          { reference: "calls", number: "1" },
          { id: "v1", count: "1" },
        ],
      },
      ["INVALID_FIELD meter_values.1.reference"],
    ],
    [
      {
        meter_values: [
          { reference: "calls", number: "1" },
          { reference: "fees", number: "1" },
        ],
      },
      ["MISSING_FIELD meter_values.1.amount"],
    ],
    [
      { meter_properties: [{ reference: "nope", value: "x" }] },
      ["METER_PROPERTY_NOT_FOUND meter_properties.0.reference"],
    ],
    [{ meter_properties: [{ reference: "region", value: "mars" }] }, ["INVALID_FIELD meter_properties.0.value"]],
    [{ meter_properties: [{ id: "p2", value: "big" }] }, ["INVALID_FIELD meter_properties.0.value"]],
    [{ meter_reference: "strict", meter_values: [] }, ["MISSING_FIELD meter_properties"]],
    [
      { meter_reference: "strict", meter_values: [], meter_properties: [{ reference: "host", value: null }] },
      ["MISSING_FIELD meter_properties"],
    ],
  ])("%j: %j", (data, errors) => {
    const read = readMeterData(book, dataWith(data));
    expect(read.kind === "errors" ? read.errors.map(({ code, field }) => `${code} ${field}`) : []).toEqual(errors);
  });

  test("takes null for an optional property", () => {
    expect(readMeterData(book, dataWith({ meter_properties: [{ reference: "region", value: null }] })).kind).toBe(
      "datum",
    );
  });
});
