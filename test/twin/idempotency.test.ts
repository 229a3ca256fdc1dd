import { expect, test } from "vitest";
import { setupTwin } from "./setup.ts";

const EVENT = '{"CustomerId":"c","Quantity":1}';
const KEY = { "idempotency-key": "k1" };

test("a repeated key is answered as the first time and its events are not accepted again", async () => {
  const { usage, counts } = await setupTwin();
  const first = await usage(EVENT, { headers: KEY });
  const repeat = await usage(EVENT, { headers: KEY, gzip: true });
  expect(repeat.status).toBe(200);
  expect(repeat.headers.get("idempotent-replayed")).toBe("true");
  expect(await repeat.text()).toBe(await first.text());
  expect(await counts()).toMatchObject({ requests: 2, events: 1 });
});

test("a key with another body is 409 and takes nothing", async () => {
  const { usage, counts } = await setupTwin();
  await usage(EVENT, { headers: KEY });
  expect((await usage(`${EVENT} `, { headers: KEY })).status).toBe(409);
  expect(await counts()).toMatchObject({ events: 1 });
});

test("a key whose call was refused or struck by a scripted failure is judged anew", async () => {
  const { usage, faults, counts } = await setupTwin();
  await faults([
    { times: 1, status: 503 },
    { times: 1, drop: "before" },
  ]);
  expect((await usage(EVENT, { headers: KEY })).status).toBe(503);
  await expect(usage(EVENT, { headers: KEY })).rejects.toThrow();
  expect((await usage(EVENT, { headers: KEY })).status).toBe(200);
  expect(await counts()).toMatchObject({ requests: 3, events: 1 });
});

test("a call cut off after its events were accepted is answered, once repeated, as accepted", async () => {
  const { usage, faults, counts, requests } = await setupTwin();
  await faults([{ times: 1, drop: "after" }]);
  await expect(usage(EVENT, { headers: KEY })).rejects.toThrow();
  expect(await counts()).toMatchObject({ events: 1 });
  expect((await usage(EVENT, { headers: KEY })).status).toBe(200);
  expect(await counts()).toMatchObject({ requests: 2, events: 1 });
  expect((await requests()).map(({ status, events }) => [status, events])).toEqual([
    [null, 1],
    [200, 0],
  ]);
});

test("a vendor that ignores keys takes a repeat again", async () => {
  const { usage, counts } = await setupTwin({ zuora: { honoursIdempotencyKeys: false } });
  await usage(EVENT, { headers: KEY });
  await usage(EVENT, { headers: KEY });
  expect(await counts()).toMatchObject({ events: 2, distinct: 1 });
});

test("starting over forgets keys, counts, events and scripted failures", async () => {
  const { url, usage, faults, counts, lines, requests } = await setupTwin();
  await usage(EVENT, { headers: KEY });
  await faults([{ times: 5, status: 500 }]);
  expect((await fetch(`${url}/twin`, { method: "DELETE" })).status).toBe(204);
  expect(await counts()).toEqual({ requests: 0, events: 0, distinct: 0, by_stream: {} });
  expect([await lines(), await requests()]).toEqual([[], []]);
  expect((await usage(`${EVENT} `, { headers: KEY })).status).toBe(200);
});
