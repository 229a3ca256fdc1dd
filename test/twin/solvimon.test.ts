import { expect, test } from "vitest";
import { setupTwin } from "./setup.ts";

const PRICING = '"pricing_id":"p","pricing_item_id":"i","pricing_item_config_id":"c"';
const CHARGE = `{"product_item_id":"x",${PRICING},"reference":"r1"}`;
const PERSIST = `{"customer_id":null,${PRICING},"pricing_plan_subscription_id":null}`;

test("each operation takes its event and answers 201 with the resource", async () => {
  const { solvimon, counts } = await setupTwin();
  const calls: [string, string, string, string][] = [
    ["ingest/persist-data", PERSIST, "PERSIST_DATA", "prda_"],
    ["ingest/charge-data", CHARGE, "CHARGE_DATA", "chda_"],
    ["ingest/adjustment-data", '{"product_item_id":"x","amount":{"quantity":"1"}}', "ADJUSTMENT_DATA", "adda_"],
    ["ingest/meter-data", '{"meter_reference":"m"}', "METER_DATA", "mtda_"],
    ["events/ingest", '{"meter_reference":"m"}', "METER_DATA", "mtda_"],
  ];
  for (const [name, event, objectType, prefix] of calls) {
    const answer = await solvimon(name, event);
    expect(answer.status).toBe(201);
    const resource = (await answer.json()) as Record<string, unknown>;
    expect(resource).toMatchObject({ ...JSON.parse(event), object_type: objectType });
    expect(resource["id"]).toMatch(new RegExp(`^${prefix}[0-9A-Za-z]{20}$`));
    expect(resource["timestamp"]).toEqual(expect.any(String));
  }
  expect(await counts()).toMatchObject({
    by_stream: {
      persist: { events: 1 },
      charge: { events: 1 },
      adjustment: { events: 1 },
      "meter-data": { events: 2 },
    },
  });
});

test("a number keeps its digits in the answered resource", async () => {
  const { solvimon } = await setupTwin();
  const answer = await solvimon("events/ingest", '{"n":0.1234567890123456789}');
  expect(await answer.text()).toContain('"n":0.1234567890123456789');
});

test("a repeated reference is 409 with its field, unless it is the same call by its key", async () => {
  const { solvimon, counts } = await setupTwin();
  const headers = { "idempotency-key": "k" };
  const first = await solvimon("ingest/charge-data", CHARGE, { headers });
  const byKey = await solvimon("ingest/charge-data", CHARGE, { headers });
  expect(byKey.status).toBe(201);
  expect(byKey.headers.get("idempotent-replayed")).toBe("true");
  expect(await byKey.text()).toBe(await first.text());
  const bare = await solvimon("ingest/charge-data", CHARGE);
  expect(bare.status).toBe(409);
  expect(await bare.json()).toMatchObject({ code: "RESOURCE_ALREADY_EXISTS", field: "reference" });
  expect((await solvimon("ingest/charge-data", CHARGE.replace('"x"', '"y"'))).status).toBe(409);
  expect(await counts()).toMatchObject({ events: 1 });
});

test("a vendor that replays references answers the same content as the first time", async () => {
  const { solvimon, counts } = await setupTwin({ solvimon: { repeatedReference: "replay" } });
  const first = await solvimon("ingest/charge-data", CHARGE);
  const repeat = await solvimon("ingest/charge-data", CHARGE);
  expect([repeat.status, await repeat.text()]).toEqual([201, await first.text()]);
  expect((await solvimon("ingest/charge-data", CHARGE.replace('"x"', '"y"'))).status).toBe(409);
  expect(await counts()).toMatchObject({ events: 1 });
});

test("meter data takes a repeated reference with 201", async () => {
  const { solvimon } = await setupTwin();
  const event = '{"reference":"0123456789"}';
  expect((await solvimon("ingest/meter-data", event)).status).toBe(201);
  expect((await solvimon("ingest/meter-data", event)).status).toBe(201);
});

test("a list of meter data is accepted whole, up to 50, or not at all", async () => {
  const { solvimon, lines } = await setupTwin();
  const list = (events: string[]) => `{ "meter_datas" : [${events.join(" , ")}] }`;
  const events = Array.from({ length: 50 }, (_, index) => `{"n": ${index}.0}`);
  for (const name of ["ingest/meter-datas", "events/ingest-list"]) {
    expect((await solvimon(name, list(events))).status).toBe(201);
    expect((await solvimon(name, list([...events, "{}"]))).status).toBe(400);
    expect((await solvimon(name, list(["{}", "1"]))).status).toBe(400);
    expect((await solvimon(name, list([]))).status).toBe(400);
  }
  expect(await lines()).toEqual([...events, ...events]);
});

test("a missing or null required field is named, in the order of the documentation", async () => {
  const { solvimon } = await setupTwin();
  const missing = await solvimon("ingest/persist-data", '{"customer_id":null}');
  expect([missing.status, await missing.json()]).toMatchObject([400, { code: "MISSING_FIELD", field: "pricing_id" }]);
  const isNull = await solvimon("ingest/adjustment-data", '{"product_item_id":null}');
  expect([isNull.status, await isNull.json()]).toMatchObject([
    400,
    { code: "INVALID_FIELD", field: "product_item_id" },
  ]);
});

test("key, version, content type and form are checked in Solvimon's words", async () => {
  const { post, solvimon } = await setupTwin();
  const code = async (answer: Response) => [answer.status, ((await answer.json()) as { code: string }).code];
  expect(await code(await post("/v1/ingest/charge-data", CHARGE))).toEqual([401, "UNAUTHORISED"]);
  const key = { "x-api-key": "twin-key" };
  expect(await code(await post("/v2/ingest/charge-data", CHARGE, { headers: key }))).toEqual([
    400,
    "UNSUPPORTED_VERSION",
  ]);
  const plain = { headers: { "content-type": "text/plain" } };
  expect(await code(await solvimon("ingest/charge-data", CHARGE, plain))).toEqual([415, "UNSUPPORTED_MEDIA_TYPE"]);
  expect(await code(await solvimon("ingest/charge-data", `[${CHARGE}]`))).toEqual([400, "BAD_REQUEST"]);
  expect(await code(await solvimon("ingest/charge-datas", "{}"))).toEqual([404, "RESOURCE_NOT_FOUND"]);
  const bearer = { headers: { authorization: "Bearer twin-key" } };
  expect((await post("/v1/ingest/charge-data", CHARGE, bearer)).status).toBe(201);
});

test("a calculation is answered and takes nothing", async () => {
  const { solvimon, counts } = await setupTwin();
  const answer = await solvimon("events/calculate?cost_prediction=true", '{"meter_reference":"m"}');
  expect([answer.status, await answer.json()]).toMatchObject([
    201,
    { object_type: "METER_DATA", type: "CALCULATION", processed_details: { type: "NOT_MATCHED" } },
  ]);
  expect(await counts()).toMatchObject({ requests: 0, events: 0 });
});
