/** Calculating what is in the ledger already: a reference that was accepted costs nothing more. */
import { expect, it } from "vitest";
import type { CostPrediction } from "../../worker/pricing/predict.ts";
import { calculate, ingest, meterData, pricedCatalog } from "./support/calculation.ts";
import { setupEdge, type TestEdge } from "./support/edge.ts";

const asks = async (on: TestEdge, event: unknown, query = "?cost_prediction=true") =>
  (await calculate(on, event, query)).json<{ processed_details: unknown; cost_prediction: CostPrediction | null }>();

it("a reference that is ingested already costs 0 and is named a duplicate of it, with other content, another time or no prediction too", async () => {
  const own = await setupEdge();
  expect((await own.putCatalog(pricedCatalog())).status).toBe(200);
  const event = meterData("SUM", "500", { reference: "ingested-already" });
  expect((await asks(own, event)).processed_details, "before").toEqual({ type: "DEFAULT" });
  const { id } = await (await ingest(own, event)).json<{ id: string }>();
  for (const change of [{}, { meter_values: [{ reference: "SUM", number: "9" }] }, { timestamp: null }]) {
    const asked = await asks(own, { ...event, ...change });
    expect(asked).toMatchObject({
      id,
      type: "CALCULATION",
      processed_details: { type: "DUPLICATE", duplicate: { of_meter_data_id: id } },
      cost_prediction: { response: "OK", details: [{ amount_excluding_tax: { quantity: "0", currency: "EUR" } }] },
    });
    const [line] = asked.cost_prediction?.details[0]?.periods[0]?.groups[0]?.lines ?? [];
    expect(line).toMatchObject({ amounts: [{ quantity: "0", currency: "EUR" }], details: [] });
  }
  expect((await asks(own, event, "")).processed_details).toEqual({
    type: "DUPLICATE",
    duplicate: { of_meter_data_id: id },
  });
  expect(await asks(own, { ...event, customer_reference: "nobody" })).toMatchObject({
    processed_details: { type: "DUPLICATE" },
    cost_prediction: { response: "OK", details: [] },
  });
});

it("a reference is known of the same tenant; another's, another reference, a key or the same content is not", async () => {
  const [own, other] = [await setupEdge(), await setupEdge()];
  for (const one of [own, other]) expect((await one.putCatalog(pricedCatalog())).status).toBe(200);
  const event = meterData("SUM", "500", { reference: "ingested-already" });
  await ingest(own, event);
  const nameless = meterData("SUM", "500");
  await ingest(own, nameless);
  for (const [on, asked] of [
    [other, event],
    [own, { ...event, reference: "another-reference" }],
    [own, nameless],
    [own, { ...nameless, reference: null }],
  ] as const) {
    const { processed_details, cost_prediction } = await asks(on, asked);
    expect(processed_details).toEqual({ type: "DEFAULT" });
    expect(cost_prediction?.details[0]?.amount_excluding_tax.quantity).not.toBe("0");
  }
});

it("a reference is known that was quarantined on arrival too: sent again it is a duplicate and adds nothing", async () => {
  const own = await setupEdge();
  expect((await own.putCatalog(pricedCatalog())).status).toBe(200);
  const event = meterData("SUM", "500", { reference: "ingested-already" });
  const wrong = { ...event, meter_values: [{ reference: "SUM", number: 5 }] };
  const body = new TextEncoder().encode(JSON.stringify({ meter_datas: [wrong] }));
  const headers = { prefer: "handling=lenient" };
  expect((await own.request("/v1/ingest/meter-datas", { method: "POST", body, headers })).status).toBe(200);
  expect((await asks(own, event)).processed_details).toMatchObject({ type: "DUPLICATE" });
});
