/**
 * Every field of the vendor's four pages, one row each, in the pages' order. The rows were copied from the pages by
 * hand and not from the product's own table, so that the two can disagree.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { setupEdge, type TestEdge } from "./support/edge.ts";

type Json = Record<string, unknown>;
type Presence = "required" | "required or null" | "optional" | "optional or null";
interface Sort {
  readonly right: readonly unknown[];
  readonly wrong: readonly unknown[];
}
/** Path, how it must be there, what it takes, and who is to blame where its absence breaks a rule between fields. */
type Row = readonly [path: string, presence: Presence, sort: Sort, blamed?: string];

const DROP = "💧";
const NO_TEXT = [7, 0, true, {}, [], ["a"]];
const id: Sort = { right: ["cust_1", "x", " ", DROP], wrong: ["", ...NO_TEXT] };
const text: Sort = { right: ["any text", "", "ä\n💧"], wrong: NO_TEXT };
const reference: Sort = {
  right: ["a_B-9", "", "_", "a".repeat(256)],
  wrong: ["a b", "a.b", "ä", "ok\n", "\nok", "ok!", DROP, "a".repeat(257), ...NO_TEXT],
};
const meterReference: Sort = {
  right: ["0123456789", "a b.ä!-#%", DROP.repeat(10), DROP.repeat(256)].map((s) => s.padEnd(10, ".")),
  wrong: [
    "",
    "012345678",
    DROP.repeat(9),
    DROP.repeat(257),
    "a".repeat(257),
    "01234\n56789",
    "0123456789\n",
    ...NO_TEXT,
  ],
};
const chargeDescription: Sort = {
  right: ["One-time_fee + 2\tdays\n", "", "a".repeat(256)],
  wrong: ["50%", "a.b", "ä", DROP, "ok ok!", "!ok", "a".repeat(257), ...NO_TEXT],
};
const adjustmentDescription: Sort = {
  right: ["50%. ä!", "", DROP.repeat(256), "e\u0301".repeat(128)],
  wrong: ["two\nlines", "end\n", "a\r", DROP.repeat(257), "a".repeat(257), ...NO_TEXT],
};
const decimal: Sort = {
  right: ["0", "-0", "007", "-1.50", "12345678901234567890.1234567890123456789"],
  wrong: ["", ".5", "1.", "+1", "1e3", " 1", "1 ", "1\n", "1,5", "٣", "NaN", "--1", 1, 1.5, false, {}, []],
};
const currency: Sort = { right: ["EUR", "XXX"], wrong: ["", "eur", "EU", "EURO", "EUR\n", "ÄÖÜ", ...NO_TEXT] };
const flag: Sort = { right: [false], wrong: ["true", "", 0, 1, {}, []] };
const time: Sort = {
  right: ["2026-01-31T23:59:59Z", "2026-01-31T23:59:59+05:30", "2028-02-29T00:00:00.123456-08:00"],
  wrong: [
    "",
    "2026-01-31",
    "2026-01-31T10:00:00",
    "2026-02-30T10:00:00Z",
    "2026-01-31T25:00:00Z",
    "now",
    " 2026-01-31T10:00:00Z",
    "2026-01-31T10:00:00Z\n",
    ...NO_TEXT,
  ],
};
const start: Sort = { right: ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"], wrong: time.wrong };
const end: Sort = { right: ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00+00:00"], wrong: time.wrong };
const object = (...right: Json[]): Sort => ({ right, wrong: ["", "{}", 7, true, [], [{}]] });
const list = (...right: unknown[][]): Sort => ({ right, wrong: ["", 7, false, {}] });
const whatever: Sort = { right: ["a", "", 7, true, {}, [], null], wrong: [] };
const choice = (...right: string[]): Sort => ({ right, wrong: ["", "latest", "OTHER", ...NO_TEXT] });

const SELECTOR = {
  data: [{ field: "region", value: "eu" }],
  rules: [{ field: "region", type: "EQUALS" }],
  filters: [{ field: "region", type: "EQUALS", value: "eu" }],
  fallback: "LATEST",
};
const PERIOD = { start_at: "2026-01-01T00:00:00Z", end_at: "2026-02-01T00:00:00Z", ratio: "0.5" };
const AMOUNT = { quantity: "1.50", currency: "EUR" };
const METER_VALUE = { id: "meva_1", reference: "bytes", number: "1", amount: AMOUNT, count: "2" };

const selector: Row[] = [
  ["pricing_plan_subscription_selector", "optional", object({}, SELECTOR)],
  ["pricing_plan_subscription_selector.data", "optional", list([], SELECTOR.data)],
  ["pricing_plan_subscription_selector.data.0", "required", { right: [{ field: "a" }], wrong: [null, 7, "a", []] }],
  ["pricing_plan_subscription_selector.data.0.field", "required", text],
  ["pricing_plan_subscription_selector.data.0.value", "optional or null", whatever],
  ["pricing_plan_subscription_selector.rules", "optional", list([], SELECTOR.rules)],
  ["pricing_plan_subscription_selector.rules.0.field", "required", text],
  ["pricing_plan_subscription_selector.rules.0.type", "optional", text],
  ["pricing_plan_subscription_selector.filters", "optional", list([], SELECTOR.filters)],
  ["pricing_plan_subscription_selector.filters.0.field", "required", text],
  ["pricing_plan_subscription_selector.filters.0.type", "optional", text],
  ["pricing_plan_subscription_selector.filters.0.value", "optional or null", whatever],
  ["pricing_plan_subscription_selector.fallback", "optional", choice("LATEST", "NONE")],
];
const period: Row[] = [
  ["period", "optional", object(PERIOD)],
  ["period.start_at", "required", start],
  ["period.end_at", "required", end],
  ["period.ratio", "optional or null", decimal],
];
const amount = (path: string): Row[] => [
  [`${path}.quantity`, "required", decimal],
  [`${path}.currency`, "required", currency],
];

const PERSIST: Row[] = [
  ["customer_id", "required or null", id],
  ["pricing_id", "required", id],
  ["pricing_item_id", "required", id],
  ["pricing_item_config_id", "required", id],
  ["pricing_plan_subscription_id", "required or null", id],
  ["customer_reference", "optional or null", text],
  ["pricing_plan_subscription_reference", "optional or null", text],
  ...selector,
  ["reference", "optional or null", reference],
  ...period,
  ["persist_usage", "optional or null", decimal],
  ["persist_included_volume", "optional or null", decimal],
  ["persist_charged_volume", "optional or null", flag],
  ["persist_rollover_volume", "optional or null", flag],
  ["set_rollover_volume", "optional or null", flag],
  ["included_volume", "optional", object({}, METER_VALUE)],
  ["included_volume.id", "optional", text],
  ["included_volume.reference", "optional", text],
  ["included_volume.number", "optional", decimal],
  ["included_volume.amount", "optional", object(AMOUNT)],
  ...amount("included_volume.amount"),
  ["included_volume.count", "optional", decimal],
  ["timestamp", "optional or null", time],
  ["reprocess_id", "optional", text],
  ["is_last_reprocess_item", "optional", flag],
];
const SUBSCRIBED: Row[] = [
  ["customer_id", "optional or null", text],
  ["customer_reference", "optional or null", text],
  ["pricing_plan_subscription_id", "optional or null", text],
  ["pricing_plan_subscription_reference", "optional or null", text],
  ...selector,
];
const CHARGE: Row[] = [
  ["product_item_id", "required", id],
  ["pricing_id", "required", id],
  ["pricing_item_id", "required", id],
  ["pricing_item_config_id", "required", id],
  ...SUBSCRIBED,
  ["reference", "optional or null", reference],
  ["description", "optional or null", chargeDescription],
  ["value", "optional", object({ number: "1" }, { amount: AMOUNT }, { count: "3" })],
  ["value.id", "optional", text],
  ["value.reference", "optional", text],
  ["value.number", "optional", decimal, "value"],
  ...period,
  ["timestamp", "optional or null", time],
];
const ADJUSTMENT: Row[] = [
  ["product_item_id", "required", id],
  ...SUBSCRIBED,
  ["reference", "optional or null", reference],
  ["description", "optional or null", adjustmentDescription],
  ["timestamp", "optional or null", time],
  ["amount", "optional", object(AMOUNT)],
  ["amount.quantity", "required", decimal],
  ["amount.currency", "required", { ...currency, right: ["EUR"] }],
  ["fixed_amount", "optional", object(AMOUNT)],
  ["fixed_amount.quantity", "required", decimal],
  ["fixed_amount.currency", "required", { ...currency, right: ["EUR"] }],
];
const METER_DATA: Row[] = [
  ["reference", "optional or null", meterReference],
  ["customer_id", "optional or null", text],
  ["customer_reference", "optional or null", text],
  ["customer", "optional or null", object({}, { id: "cust_1", any: [1] })],
  ["meter_id", "optional or null", text],
  ["meter_reference", "optional or null", text],
  ["pricing_plan_subscription_id", "optional or null", text],
  ["pricing_plan_subscription_reference", "optional or null", text],
  ...selector,
  ["timestamp", "optional or null", time],
  ["meter_properties", "optional or null", list([], [{ reference: "zone", value: null }])],
  ["meter_properties.0", "required", { right: [{}], wrong: [null, 7, "a", []] }],
  ["meter_properties.0.id", "optional", text],
  ["meter_properties.0.reference", "optional", text],
  ["meter_properties.0.value", "optional or null", text],
  ["meter_values", "optional or null", list([], [METER_VALUE, {}])],
  ["meter_values.0", "required", { right: [{}], wrong: [null, 7, "a", []] }],
  ["meter_values.0.id", "optional", text],
  ["meter_values.0.reference", "optional", text],
  ["meter_values.0.number", "optional", decimal],
  ["meter_values.0.amount", "optional", object(AMOUNT)],
  ...amount("meter_values.0.amount"),
  ["meter_values.0.count", "optional", decimal],
  ["cost_prediction", "optional or null", object({}, { response: "OK" })],
  ["processed_details", "optional or null", object({}, { type: "DEFAULT" })],
];

/** An event with every field right; its reference and its group are its own. */
const PRICING = { pricing_id: "pric_1", pricing_item_id: "prii_1", pricing_item_config_id: "pric_c1" };
const CUSTOMER = {
  customer_id: "cust_1",
  customer_reference: "acme",
  pricing_plan_subscription_id: "pps_1",
  pricing_plan_subscription_reference: "acme-1",
  pricing_plan_subscription_selector: SELECTOR,
};
const TIMES = { timestamp: "2026-01-05T00:00:00Z" };
const OPERATIONS: Record<string, { readonly rows: readonly Row[]; readonly full: (own: string) => Json }> = {
  "persist-data": {
    rows: PERSIST,
    full: (own) => ({
      ...CUSTOMER,
      ...PRICING,
      ...TIMES,
      reference: own,
      period: PERIOD,
      persist_usage: "1",
      persist_included_volume: "1",
      persist_charged_volume: true,
      persist_rollover_volume: true,
      set_rollover_volume: true,
      included_volume: METER_VALUE,
      reprocess_id: own,
      is_last_reprocess_item: true,
    }),
  },
  "charge-data": {
    rows: CHARGE,
    full: (own) => ({
      product_item_id: "pri_1",
      ...CUSTOMER,
      ...PRICING,
      ...TIMES,
      reference: own,
      description: "fee",
      value: { id: "meva_1", reference: "bytes", number: "1" },
      period: PERIOD,
    }),
  },
  "adjustment-data": {
    rows: ADJUSTMENT,
    full: (own) => ({
      product_item_id: "pri_1",
      ...CUSTOMER,
      ...TIMES,
      reference: own,
      description: "Goodwill, 5%.",
      amount: AMOUNT,
      fixed_amount: AMOUNT,
    }),
  },
  "meter-data": {
    rows: METER_DATA,
    full: (own) => ({
      ...CUSTOMER,
      ...TIMES,
      reference: own,
      customer: {},
      meter_id: "metr_1",
      meter_reference: "egress",
      meter_properties: [{ id: "mepr_1", reference: "zone", value: "eu" }],
      meter_values: [METER_VALUE],
      cost_prediction: {},
      processed_details: {},
    }),
  },
};
const NAMES = Object.keys(OPERATIONS);

let edge: TestEdge;
let count = 0;
beforeAll(async () => {
  edge = await setupEdge();
});

interface Answer {
  readonly status: number;
  readonly type?: string;
  readonly code?: string;
  readonly field?: string;
  readonly reasons?: readonly { readonly code: string; readonly field: string; readonly index?: number }[];
}

async function post(operation: string, body: unknown): Promise<Answer> {
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  const response = await edge.request(`/v1/ingest/${operation}`, { method: "POST", body: bytes });
  return { status: response.status, ...(await response.json<object>()) };
}

const fresh = (operation: string): Json => OPERATIONS[operation]?.full(`own-${++count}-reference`) ?? {};

/** The event with one field set, or taken out where the value is undefined. */
function changed(event: Json, path: string, value: unknown): Json {
  // Not structuredClone: it keeps what two fields share shared.
  const copy: Json = JSON.parse(JSON.stringify(event));
  const steps = path.split(".");
  const last = steps.pop() ?? "";
  const holder = steps.reduce((at, step) => at[step] as Json, copy);
  if (value === undefined) delete holder[last];
  else holder[last] = value;
  return copy;
}

const fault = (code: string, field: string) => ({
  status: 400,
  type: "INVALID_REQUEST",
  code,
  field,
  reasons: [{ code, field }],
});

describe.each(NAMES)("%s", (operation) => {
  const rows = OPERATIONS[operation]?.rows ?? [];
  const tops = rows.filter(([path]) => !path.includes("."));

  it("an event with every field right is accepted", async () => {
    expect(Object.keys(fresh(operation)).sort(), "the table misses no field").toEqual(
      tops.map(([path]) => path).sort(),
    );
    expect((await post(operation, fresh(operation))).status).toBe(201);
  });

  const checks = rows.map(([path, presence, sort, blamed]) => ({ path, presence, ...sort, blamed }));
  it.each(checks)("$path is $presence and takes only its sort", async ({ path, presence, right, wrong, blamed }) => {
    for (const value of right) {
      const answer = await post(operation, changed(fresh(operation), path, value));
      expect(answer, JSON.stringify(value)).toMatchObject({ status: 201 });
    }
    for (const value of wrong) {
      const answer = await post(operation, changed(fresh(operation), path, value));
      expect(answer, JSON.stringify(value)).toMatchObject(fault("INVALID_FIELD", path));
    }
    const isItem = /\.\d+$/.test(path);
    if (!isItem) {
      const absent = await post(operation, changed(fresh(operation), path, undefined));
      if (presence.startsWith("required")) expect(absent, "absent").toMatchObject(fault("MISSING_FIELD", path));
      else if (blamed !== undefined) expect(absent, "absent").toMatchObject(fault("INVALID_FIELD", blamed));
      else expect(absent, "absent").toMatchObject({ status: 201 });
    }
    const none = await post(operation, changed(fresh(operation), path, null));
    if (presence.endsWith("or null")) expect(none, "null").toMatchObject({ status: 201 });
    else expect(none, "null").toMatchObject(fault("INVALID_FIELD", path));
  });

  it("of several validation errors the first in the page's order speaks and all are listed in that order", async () => {
    const backwards = Object.fromEntries(tops.map(([path]) => [path, 7]).reverse());
    const answer = await post(operation, backwards);
    expect(answer).toMatchObject({ status: 400, code: "INVALID_FIELD", field: tops[0]?.[0] });
    expect(answer.reasons).toMatchObject(tops.map(([field]) => ({ code: "INVALID_FIELD", field })));
    expect(answer.reasons).toHaveLength(tops.length);
  });

  it("what is required and absent is named field by field; null and absent are distinguished", async () => {
    const required = tops.filter(([, presence]) => presence.startsWith("required")).map(([field]) => field);
    const missing = operation === "adjustment-data" ? [...required, "amount"] : required;
    const answer = await post(operation, {});
    if (missing.length === 0) expect(answer.status).toBe(201);
    else expect(answer.reasons).toMatchObject(missing.map((field) => ({ code: "MISSING_FIELD", field })));
    const nulls = await post(operation, Object.fromEntries(tops.map(([path]) => [path, null])));
    const refused = tops.filter(([, presence]) => !presence.endsWith("or null")).map(([field]) => field);
    expect(nulls.reasons?.map(({ code, field }) => [code, field])).toEqual(
      refused.map((field) => ["INVALID_FIELD", field]),
    );
  });

  it("in a list each validation error carries its event's index, events in order, fields in the page's order", async () => {
    const [first, second] = [tops[0]?.[0] ?? "", tops[1]?.[0] ?? ""];
    const bad = changed(changed(fresh(operation), second, 7), first, 7);
    const member = `${operation.replace("-", "_")}s`;
    const answer = await post(`${operation}s`, { [member]: [fresh(operation), bad, fresh(operation), bad] });
    expect(answer).toMatchObject({ status: 400, code: "INVALID_FIELD", field: first });
    expect(answer.reasons?.map(({ index, field }) => [index, field])).toEqual([
      [1, first],
      [1, second],
      [3, first],
      [3, second],
    ]);
  });

  it("read-only fields are ignored on input, whatever they hold, and are no part of the content", async () => {
    const event = fresh(operation);
    const sent = { ...event, object_type: 7, id: ["mine"] };
    const more = operation === "meter-data" ? { type: 7, created_at: 7, deleted: "yes" } : {};
    const first = await post(operation, { ...sent, ...more });
    expect(first).toMatchObject({
      status: 201,
      object_type: expect.stringMatching(/_DATA$/),
      id: expect.stringMatching(/^\w{25}$/),
    });
    expect(await post(operation, event), "the same content").toEqual(first);
  });

  it("a field of the wrong case or with spaces is an unknown one, kept and not mistaken for the real one", async () => {
    const event = { ...fresh(operation), Reference: 7, " reference": 8, "reference ": [1] };
    expect(await post(operation, event)).toMatchObject({
      status: 201,
      Reference: 7,
      " reference": 8,
      "reference ": [1],
    });
  });
});

describe("rules between fields", () => {
  const endBefore = fault("INVALID_FIELD", "period.end_at");
  it.each(["persist-data", "charge-data"])(
    "%s: a period ends no earlier than it starts, offsets counted",
    async (operation) => {
      const at = (start_at: string, end_at: string) =>
        post(operation, { ...fresh(operation), period: { start_at, end_at } });
      expect(await at("2026-01-02T00:00:00Z", "2026-01-01T23:59:59Z")).toMatchObject(endBefore);
      expect(await at("2026-01-01T00:00:00Z", "2026-01-01T00:30:00+01:00")).toMatchObject(endBefore);
      expect(await at("2026-01-01T00:00:00.500Z", "2026-01-01T00:00:00.499Z")).toMatchObject(endBefore);
      expect(await at("2026-01-02t00:00:00z", "2026-01-01t00:00:00z"), "lower case").toMatchObject(endBefore);
      expect(await at("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"), "the same moment").toMatchObject({
        status: 201,
      });
      const broken = await at("soon", "2026-01-01T23:59:59Z");
      expect(broken.reasons, "only what is wrong by itself").toMatchObject([{ field: "period.start_at" }]);
      expect(broken.reasons).toHaveLength(1);
    },
  );

  it.each<[string, Json]>([
    ["none", {}],
    ["only names", { id: "meva_1", reference: "bytes" }],
    ["number and amount", { number: "1", amount: AMOUNT }],
    ["number and count", { number: "1", count: "1" }],
    ["amount and count", { amount: AMOUNT, count: "1" }],
    ["all three", { number: "1", amount: AMOUNT, count: "1" }],
  ])("a charge's value with %s of number, amount and count is refused", async (_which, value) => {
    expect(await post("charge-data", { ...fresh("charge-data"), value })).toMatchObject(
      fault("INVALID_FIELD", "value"),
    );
  });

  it("a charge's amount and count are checked in their depth", async () => {
    const wrong: [string, Json][] = [
      ["value.amount.quantity", { amount: { ...AMOUNT, quantity: 1 } }],
      ["value.amount.currency", { amount: { ...AMOUNT, currency: "euro" } }],
      ["value.count", { count: 3 }],
      ["value.number", { number: null }],
    ];
    for (const [field, value] of wrong)
      expect(await post("charge-data", { ...fresh("charge-data"), value })).toMatchObject(
        fault("INVALID_FIELD", field),
      );
    const missing = await post("charge-data", { ...fresh("charge-data"), value: { amount: { quantity: "1" } } });
    expect(missing).toMatchObject(fault("MISSING_FIELD", "value.amount.currency"));
  });

  it("an adjustment needs an amount, either will do, and both must be in one currency", async () => {
    const { amount: _a, fixed_amount: _f, ...bare } = fresh("adjustment-data");
    const send = (amounts: Json) => post("adjustment-data", { ...bare, reference: `adj-${++count}`, ...amounts });
    expect(await send({})).toMatchObject(fault("MISSING_FIELD", "amount"));
    expect(await send({ amount: AMOUNT })).toMatchObject({ status: 201 });
    expect(await send({ fixed_amount: { ...AMOUNT, quantity: "-3" } })).toMatchObject({ status: 201 });
    const two = await send({ amount: AMOUNT, fixed_amount: { ...AMOUNT, currency: "USD" } });
    expect(two).toMatchObject(fault("INVALID_FIELD", "fixed_amount.currency"));
    const broken = await send({ amount: { ...AMOUNT, currency: "eur" }, fixed_amount: AMOUNT });
    expect(broken.reasons?.[0], "the broken one is named first").toMatchObject({ field: "amount.currency" });
    const none = await send({ amount: null });
    expect(none.reasons?.map(({ code, field }) => [code, field])).toEqual([["INVALID_FIELD", "amount"]]);
  });

  it("errors of nested fields stand where their field stands on the page", async () => {
    const event = changed(
      changed(fresh("persist-data"), "pricing_plan_subscription_selector.filters.0.field", undefined),
      "included_volume.amount.currency",
      "€",
    );
    const answer = await post("persist-data", {
      ...event,
      period: { start_at: PERIOD.end_at, end_at: PERIOD.start_at },
      timestamp: 1,
      customer_reference: 1,
    });
    expect(answer).toMatchObject({ status: 400, field: "customer_reference" });
    expect(answer.reasons?.map(({ code, field }) => `${code} ${field}`)).toEqual([
      "INVALID_FIELD customer_reference",
      "MISSING_FIELD pricing_plan_subscription_selector.filters.0.field",
      "INVALID_FIELD period.end_at",
      "INVALID_FIELD included_volume.amount.currency",
      "INVALID_FIELD timestamp",
    ]);
    const values = Array.from({ length: 12 }, (_, i) => ({ number: i % 5 === 1 ? i : String(i) }));
    const meter = await post("meter-data", { ...fresh("meter-data"), meter_values: values });
    expect(meter.reasons?.map(({ field }) => field)).toEqual([
      "meter_values.1.number",
      "meter_values.6.number",
      "meter_values.11.number",
    ]);
  });

  it("no more than a hundred validation errors are listed", async () => {
    const values = Array.from({ length: 100 }, () => ({ number: 1, count: 1 }));
    expect((await post("meter-data", { ...fresh("meter-data"), meter_values: values })).reasons).toHaveLength(100);
  });
});
