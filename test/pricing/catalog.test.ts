import { describe, expect, test } from "vitest";
import { readSampleCatalog } from "../../tools/sample/sample.ts";
import { checkCatalog } from "../../worker/catalog/checks/document.ts";

type Json = Record<string, unknown>;

const CONFIG = "pricing_plans.0.pricings.0.pricing_items.0.configs.0";

function config(changes: Json = {}): Json {
  const tiers = [{ tier_top_bound: "10", amount: "1" }, { amount: "0.5" }];
  const period = { type: "MONTH", value: 1 };
  return { id: "g1", pricing_type: "TIERED", currency: "EUR", billing_period: period, bands: tiers, ...changes };
}

function catalogWith(changes: Json = {}, configs: Json[] = [config()]): Json {
  const item = { id: "i1", product_item_id: "d1", meter_reference: "api", meter_value_reference: "calls", configs };
  return {
    meters: [
      {
        id: "m1",
        reference: "api",
        status: "ACTIVE",
        meter_values: [
          { id: "v1", reference: "calls", type: "NUMBER", calculation: "SUM", required: true },
          { reference: "fees", type: "AMOUNT", calculation: "SUM", required: false },
        ],
        meter_properties: [
          { reference: "region", type: "ENUM", enum_values: ["eu", "us"], required: false },
          { reference: "size", type: "NUMBER", required: false },
        ],
      },
    ],
    product_items: [{ id: "d1" }],
    customers: [{ id: "c1", reference: "one" }],
    subscriptions: [
      { id: "s1", reference: "first", customer_id: "c1", pricing_plan_id: "p1", start_at: "2026-01-31T00:00:00Z" },
    ],
    pricing_plans: [{ id: "p1", reference: "plan", pricings: [{ id: "r1", pricing_items: [item] }] }],
    ...changes,
  };
}

function errorsOf(document: unknown): string[] {
  const outcome = checkCatalog(document);
  return outcome.kind === "errors" ? outcome.errors.map((error) => error.field ?? "") : [];
}

/** The catalog with one config changed: its errors by paths from the config. */
function configFaults(changes: Json): string[] {
  return errorsOf(catalogWith({}, [config(changes)])).map((path) => path.replace(`${CONFIG}.`, ""));
}

describe("a catalog", () => {
  test("that is sound comes out as it went in, absent lists empty", () => {
    const outcome = checkCatalog(catalogWith());
    expect(outcome).toMatchObject({ kind: "catalog", catalog: { streams: [], settings: { catalog: "pass" } } });
    if (outcome.kind === "catalog") expect(checkCatalog(outcome.catalog)).toEqual(outcome);
  });

  test.each([null, [], "catalog", 5])("is an object, not %j", (document) => {
    expect(errorsOf(document)).toEqual([""]);
  });

  test("of nothing is sound", () => {
    expect(errorsOf({})).toEqual([]);
  });

  test.each<[string, Json, string[]]>([
    ["an unknown section", { meterz: [] }, ["meterz"]],
    ["an unknown setting", { settings: { catalog: "lax" } }, ["settings.catalog"]],
    [
      "a section that is no list",
      { product_items: {} },
      ["product_items", "pricing_plans.0.pricings.0.pricing_items.0.product_item_id"],
    ],
    ["a product item twice", { product_items: [{ id: "d1" }, { id: "d1" }] }, ["product_items.1.id"]],
    [
      "a customer's id and another's reference twice",
      {
        customers: [
          { id: "c1", reference: "a" },
          { id: "c1", reference: "b" },
          { id: "c3", reference: "b" },
        ],
      },
      ["customers.1.id", "customers.2.reference"],
    ],
    ["a customer without a reference", { customers: [{ id: "c1" }] }, ["customers.0.reference"]],
    ["a control character in a name", { product_items: [{ id: "d1" }, { id: "d\u0001" }] }, ["product_items.1.id"]],
  ])("with %s", (_, changes, paths) => {
    expect(errorsOf(catalogWith(changes))).toEqual(paths);
  });

  test.each<[string, Json, string[]]>([
    ["an unknown customer and plan", { customer_id: "x", pricing_plan_id: "y" }, ["customer_id", "pricing_plan_id"]],
    ["a day that is none", { start_at: "2026-02-30T00:00:00Z" }, ["start_at"]],
    ["a time without an offset", { end_at: "2027-01-01T00:00:00" }, ["end_at"]],
    ["an end before its start", { end_at: "2026-01-30T23:59:59Z" }, ["end_at"]],
    ["an end at its start, in another zone", { end_at: "2026-01-31T02:00:00+02:00" }, ["end_at"]],
    ["a real end", { end_at: "2026-01-31T00:00:01Z" }, []],
    ["no end, said so", { end_at: null }, []],
  ])("with a subscription of %s", (_, changes, paths) => {
    const sound = {
      id: "s1",
      reference: "r",
      customer_id: "c1",
      pricing_plan_id: "p1",
      start_at: "2026-01-31T00:00:00Z",
    };
    const subscriptions = [{ ...sound, ...changes }];
    expect(errorsOf(catalogWith({ subscriptions }))).toEqual(paths.map((path) => `subscriptions.0.${path}`));
  });

  test.each<[string, Json, string[]]>([
    ["an unknown status", { status: "OPEN" }, ["status"]],
    [
      "values twice",
      {
        meter_values: [
          { id: "v", reference: "calls", type: "NUMBER", calculation: "SUM", required: true },
          { id: "v", reference: "calls", type: "NUMBER", calculation: "SUM", required: true },
        ],
      },
      ["meter_values.1.id", "meter_values.1.reference"],
    ],
    [
      "an unknown calculation and a text for a flag",
      {
        meter_values: [
          { reference: "calls", type: "NUMBER", calculation: "SUM", required: true },
          { reference: "more", type: "COUNT", calculation: "MEDIAN", required: "yes" },
        ],
      },
      ["meter_values.1.type", "meter_values.1.calculation", "meter_values.1.required"],
    ],
    [
      "an ENUM without values",
      { meter_properties: [{ reference: "e", type: "ENUM", required: true }] },
      ["meter_properties.0.enum_values"],
    ],
    [
      "an ENUM with a value twice",
      { meter_properties: [{ reference: "e", type: "ENUM", enum_values: ["a", "b", "a"], required: true }] },
      ["meter_properties.0.enum_values.2"],
    ],
  ])("with a meter of %s", (_, changes, paths) => {
    const value = { reference: "calls", type: "NUMBER", calculation: "SUM", required: true };
    const meters = [{ id: "m1", reference: "api", status: "DRAFT", meter_values: [value], ...changes }];
    expect(errorsOf(catalogWith({ meters }))).toEqual(paths.map((path) => `meters.0.${path}`));
  });
});

describe("a pricing item", () => {
  test.each<[Json, string[]]>([
    [{ product_item_id: "x" }, ["product_item_id"]],
    [{ product_item_id: undefined }, []],
    [{ meter_reference: "x" }, ["meter_reference"]],
    [{ meter_value_reference: "x" }, ["meter_value_reference"]],
  ])("with %j", (changes, paths) => {
    const item = {
      id: "i1",
      product_item_id: "d1",
      meter_reference: "api",
      meter_value_reference: "calls",
      ...changes,
    };
    const pricing_plans = [{ id: "p1", reference: "plan", pricings: [{ id: "r1", pricing_items: [item] }] }];
    const at = "pricing_plans.0.pricings.0.pricing_items.0";
    expect(errorsOf(catalogWith({ pricing_plans }))).toEqual(paths.map((path) => `${at}.${path}`));
  });

  test("has ids that no other plan's have", () => {
    const item = { id: "i1", meter_reference: "api", meter_value_reference: "calls", configs: [config()] };
    const plan = { id: "p1", reference: "plan", pricings: [{ id: "r1", pricing_items: [item] }] };
    expect(errorsOf(catalogWith({ pricing_plans: [plan, { ...plan, id: "p2", reference: "other" }] }))).toEqual([
      "pricing_plans.1.pricings.0.id",
      "pricing_plans.1.pricings.0.pricing_items.0.id",
      "pricing_plans.1.pricings.0.pricing_items.0.configs.0.id",
    ]);
  });

  test("has one currency in all its plan", () => {
    expect(errorsOf(catalogWith({}, [config(), config({ id: "g2", currency: "USD" })]))).toEqual([
      "pricing_plans.0.pricings.0.pricing_items.0.configs.1.currency",
    ]);
  });
});

describe("a config", () => {
  test.each<[string, Json, string[]]>([
    ["an unknown type", { pricing_type: "CHEAP" }, ["pricing_type"]],
    ["a small currency", { currency: "eur" }, ["currency"]],
    ["a period of an unknown unit", { billing_period: { type: "HOUR", value: 1 } }, ["billing_period.type"]],
    ["a period of nothing", { billing_period: { type: "DAY", value: 0 } }, ["billing_period.value"]],
    ["a period of a part", { billing_period: { type: "DAY", value: 1.5 } }, ["billing_period.value"]],
    ["a period in a string", { billing_period: { type: "DAY", value: "14" } }, []],
    ["a number for a decimal", { min_amount: 5 }, ["min_amount"]],
    ["an exponent", { min_amount: "5e3" }, ["min_amount"]],
    ["a bare point", { max_amount: ".5" }, ["max_amount"]],
    ["401 digits", { max_amount: "1".repeat(401) }, ["max_amount"]],
    ["clamps that cross", { min_amount: "10", max_amount: "9.99" }, ["max_amount"]],
    ["clamps that meet", { min_amount: "10", max_amount: "10.0" }, []],
    ["a negative included volume", { included_volume: { number: "-1" } }, ["included_volume.number"]],
    ["a field of its own", { discount: "1" }, ["discount"]],
    ["no bands", { bands: [] }, ["bands"]],
    ["bands that are no list", { bands: "x" }, ["bands"]],
    ["two bands for FLAT", { pricing_type: "FLAT" }, ["bands"]],
    ["no band for FIXED", { pricing_type: "FIXED", bands: [] }, ["bands"]],
    [
      "a bound for PASS_THROUGH",
      { pricing_type: "PASS_THROUGH", bands: [{ tier_top_bound: "1" }] },
      ["bands.0.tier_top_bound"],
    ],
    ["no bands for NONE", { pricing_type: "NONE", bands: undefined }, []],
    ["a closed last band", { bands: [{ tier_top_bound: "1" }, { tier_top_bound: "2" }] }, ["bands.1.tier_top_bound"]],
    [
      "an open band before the last",
      { bands: [{ tier_top_bound: "1" }, {}, { tier_top_bound: null }] },
      ["bands.1.tier_top_bound"],
    ],
    ["equal bounds", { bands: [{ tier_top_bound: "1" }, { tier_top_bound: "1.0" }, {}] }, ["bands.1.tier_top_bound"]],
    ["falling bounds", { bands: [{ tier_top_bound: "10" }, { tier_top_bound: "9" }, {}] }, ["bands.1.tier_top_bound"]],
    ["a first bound of 0", { bands: [{ tier_top_bound: "0" }, {}] }, ["bands.0.tier_top_bound"]],
    [
      "a bound that is no decimal, and only that",
      { bands: [{ tier_top_bound: "ten" }, {}] },
      ["bands.0.tier_top_bound"],
    ],
    ["blocks of nothing", { bands: [{ block_size: "0.0" }] }, ["bands.0.block_size"]],
    ["blocks of less", { bands: [{ block_size: "-1" }] }, ["bands.0.block_size"]],
    ["blocks rounded down", { bands: [{ block_rounding: "DOWN" }] }, ["bands.0.block_rounding"]],
  ])("with %s", (_, changes, paths) => {
    expect(configFaults(changes)).toEqual(paths);
  });

  test.each<[string, Json, string[]]>([
    ["an unknown property", { property: "x", operator: "EQUALS", value: "1" }, ["property"]],
    ["an unknown operator", { property: "region", operator: "LIKE", value: "eu" }, ["operator"]],
    ["a list for EQUALS", { property: "region", operator: "EQUALS", value: ["eu"] }, ["value"]],
    ["an empty list", { property: "region", operator: "IN", value: [] }, ["value"]],
    ["a number for a text", { property: "size", operator: "EQUALS", value: 5 }, ["value"]],
    ["a value the ENUM has not", { property: "region", operator: "NOT_IN", value: ["eu", "mars"] }, ["value.1"]],
    ["a text for a NUMBER", { property: "size", operator: "EQUALS", value: "big" }, ["value"]],
    ["what is right", { property: "size", operator: "IN", value: ["1", "2.50"] }, []],
  ])("with a condition of %s", (_, condition, paths) => {
    expect(configFaults({ conditions: [condition] })).toEqual(paths.map((path) => `conditions.0.${path}`));
  });

  test("lists errors of shape and of sense together, all of them", () => {
    const invalid = config({
      currency: "euro",
      min_amount: "2",
      max_amount: "1",
      bands: [{ tier_top_bound: "5", amount: "a lot" }, { tier_top_bound: "5" }, {}],
    });
    const document = catalogWith({ customers: [{ id: "c2", reference: 5 }] }, [invalid]);
    expect(errorsOf(document).sort()).toEqual([
      "customers.0.reference",
      `${CONFIG}.bands.0.amount`,
      `${CONFIG}.bands.1.tier_top_bound`,
      `${CONFIG}.currency`,
      `${CONFIG}.max_amount`,
      "subscriptions.0.customer_id",
    ]);
  });
});

describe("a usage stream that feeds a meter", () => {
  test.each<[string, Json, string[]]>([
    ["a meter and value that are there", { meter_reference: "api", meter_value_reference: "calls" }, []],
    ["an unknown meter", { meter_reference: "x", meter_value_reference: "calls" }, ["meter_reference"]],
    ["an unknown value", { meter_reference: "api", meter_value_reference: "x" }, ["meter_value_reference"]],
    [
      "an AMOUNT, which a bare number is not",
      { meter_reference: "api", meter_value_reference: "fees" },
      ["meter_value_reference"],
    ],
    [
      "an unknown property",
      { meter_reference: "api", meter_value_reference: "calls", properties: { region: "Region", x: "X" } },
      ["properties.x"],
    ],
    ["no meter", { meter_value_reference: "calls" }, ["meter_reference"]],
  ])("names %s", (_, feeds, paths) => {
    const streams = [{ meter_global_id: "s", feeds }];
    expect(errorsOf(catalogWith({ streams }))).toEqual(paths.map((path) => `streams.0.feeds.${path}`));
  });
});

test("the sample is sound and has every pricing type and calculation", () => {
  const sample = JSON.stringify(readSampleCatalog());
  expect(errorsOf(JSON.parse(sample))).toEqual([]);
  for (const word of [
    ...["NONE", "FIXED", "FLAT", "TIERED", "TOP_TIERED", "STAIR_STEP", "PASS_THROUGH"],
    ...["FLAT_TOP_UP", "TIERED_TOP_UP", "STAIR_STEP_TOP_UP", "SUM", "MAX", "MIN", "AVERAGE", "UNIQUE"],
  ]) {
    expect(sample, word).toContain(`"${word}"`);
  }
});
