import { expect, it } from "vitest";
import { event, setupEdge } from "./support/edge.ts";

it("accepts a single event, an array and lines alike, and delivers each byte for byte", async () => {
  const edge = await setupEdge();
  const meter = `m-${edge.tenant}`;
  expect((await edge.putCatalog({ streams: [{ meter_global_id: meter }] })).status).toBe(200);
  const odd =
    '{ "Quantity":0.1234567890123456789 ,\t"CustomerId" : "\\u0063us",\n "UsageIdentifier":"e","UsageDate":"2015-05-17T10:05:03+02:00"}';
  const one = await edge.post(meter, odd);
  expect(await one.json()).toEqual({
    success: true,
    message: "1 of 1 events accepted",
    accepted: 1,
    duplicates: 0,
    conflicts: 0,
    quarantined: 0,
  });
  const big = event({ Quantity: 0 }).replace('"Quantity":0', '"Quantity":12345678901234567890');
  const many = await edge.post(meter, `[${big},\n  ${event()}]`);
  expect(await many.json()).toMatchObject({ accepted: 2 });
  const lines = await edge.post(meter, `${event({ Quantity: 7 })}\n\n${event({ Quantity: 8 })}\r\n`, {
    "content-type": "application/x-ndjson",
  });
  expect(await lines.json()).toMatchObject({ accepted: 2 });
  await edge.services.delivery.sweep();
  expect(await edge.twinEvents(meter)).toEqual([odd, big, event(), event({ Quantity: 7 }), event({ Quantity: 8 })]);
  expect(await edge.ledger()).toMatchObject([{ accepted: 5, delivered: 5, pending: 0 }]);
});
