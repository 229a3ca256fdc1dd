import { expect, test } from "vitest";
import { setupTwin } from "./setup.ts";

const EVENT = '{"CustomerId":"c","Quantity":1}';

test("a token is given to the known client only, for client credentials only", async () => {
  const { askToken } = await setupTwin();
  const client = { client_id: "twin-client", client_secret: "twin-secret" };
  const given = await askToken({ ...client, grant_type: "client_credentials" });
  expect(given.status).toBe(200);
  expect(await given.json()).toMatchObject({ token_type: "bearer", expires_in: 3600 });
  expect((await askToken({ ...client, client_secret: "no", grant_type: "client_credentials" })).status).toBe(401);
  expect((await askToken({ ...client, grant_type: "password" })).status).toBe(400);
});

test("an ingest call without a valid token is 401 and takes nothing", async () => {
  const { usage, counts } = await setupTwin();
  const answer = await usage(EVENT, { headers: { authorization: "Bearer guess" } });
  expect(answer.status).toBe(401);
  expect(await answer.json()).toMatchObject({ success: false, reasons: [{ code: 90000011 }] });
  expect(await counts()).toEqual({ requests: 1, events: 0, distinct: 0, by_stream: {} });
});

test("a token ends after its hour", async () => {
  let nowMs = 0;
  const { usage } = await setupTwin({ now: () => nowMs });
  expect((await usage(EVENT)).status).toBe(200);
  nowMs = 3_600_000;
  expect((await usage(EVENT)).status).toBe(401);
});

test("events are kept byte for byte: digits, escapes, key order and inner white space", async () => {
  const { usage, lines } = await setupTwin();
  const first = '{ "Quantity":\t0.1234567890123456789,"b":1.0 , "a":"\\u00e9\\/é"}';
  const second = '{"Quantity":12345678901234567890}';
  expect((await usage(`[ ${first} ,\n${second}]`, { gzip: true })).status).toBe(200);
  expect(await lines()).toEqual([first, second]);
});

test("an event over several lines is one line in the listing and exact in the exact listing", async () => {
  const { usage, lines } = await setupTwin();
  const event = '{\r\n  "Quantity": 1\n}';
  await usage(event, { headers: { "zuora-entity-ids": "e1", "zuora-org-ids": "o1,o2" } });
  expect(await lines()).toEqual(['{    "Quantity": 1 }']);
  const [exact] = await lines("?exact=1");
  expect(JSON.parse(exact ?? "")).toEqual({
    stream: "usage/api",
    source: event,
    entity_ids: "e1",
    org_ids: "o1,o2",
    platform_id: null,
  });
});

test("both spellings of the operation take events, each meter a stream of its own", async () => {
  const { post, authorize, counts, lines } = await setupTwin();
  const headers = { authorization: await authorize() };
  await post("/usage/bulk/a%20b", `[${EVENT},${EVENT}]`, { headers });
  await post("/meters/streaming/ingestion/c", EVENT, { headers });
  expect(await counts()).toEqual({
    requests: 2,
    events: 3,
    distinct: 2,
    by_stream: { "usage/a b": { events: 2, distinct: 1 }, "usage/c": { events: 1, distinct: 1 } },
  });
  expect(await lines("?stream=usage/c")).toEqual([EVENT]);
});

test("a body over the limit of bytes is 413, gzipped or not, and takes nothing", async () => {
  const { usage, counts } = await setupTwin({ zuora: { bytesMax: 1_000 } });
  const fits = `{"a":"${"x".repeat(992)}"}`;
  expect(fits).toHaveLength(1_000);
  const tooLarge = `${fits} `;
  expect((await usage(fits)).status).toBe(200);
  expect((await usage(fits, { gzip: true })).status).toBe(200);
  expect((await usage(tooLarge)).status).toBe(413);
  expect((await usage(tooLarge, { gzip: true })).status).toBe(413);
  expect(await counts()).toMatchObject({ requests: 4, events: 2 });
});

test("more events than the limit are 413 and none of them is accepted", async () => {
  const { usage, counts } = await setupTwin({ zuora: { eventsMax: 2 } });
  expect((await usage(`[${EVENT},${EVENT}]`)).status).toBe(200);
  expect((await usage(`[${EVENT},${EVENT},${EVENT}]`)).status).toBe(413);
  expect(await counts()).toMatchObject({ events: 2 });
});

test("what is no JSON of objects is 400 in Zuora's words, naming the event", async () => {
  const { usage, counts } = await setupTwin();
  const answer = await usage(`[${EVENT}, 7]`);
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ success: false, reasons: [{ code: 70000000, index: 1 }] });
  expect((await usage("[")).status).toBe(400);
  expect((await usage("not gzip", { headers: { "content-encoding": "gzip" } })).status).toBe(400);
  expect((await usage(EVENT, { headers: { "content-type": "text/plain" } })).status).toBe(415);
  expect(await counts()).toMatchObject({ events: 0 });
});

test("calls beyond the rate are 429 with the time to wait, and the rate shows on every answer", async () => {
  let nowMs = 0;
  const { usage, counts } = await setupTwin({ now: () => nowMs, zuora: { callsPerMinute: 1 } });
  const first = await usage(EVENT);
  expect(first.headers.get("ratelimit-limit")).toBe("1");
  expect(first.headers.get("ratelimit-remaining")).toBe("0");
  nowMs = 45_000;
  const second = await usage(EVENT);
  expect([second.status, second.headers.get("retry-after")]).toEqual([429, "15"]);
  nowMs = 60_000;
  expect((await usage(EVENT)).status).toBe(200);
  expect(await counts()).toMatchObject({ requests: 3, events: 2 });
});

test("a track id is echoed, on errors too", async () => {
  const { usage } = await setupTwin();
  const headers = { "zuora-track-id": "t-1" };
  expect((await usage(EVENT, { headers })).headers.get("zuora-track-id")).toBe("t-1");
  expect((await usage("[", { headers })).headers.get("zuora-track-id")).toBe("t-1");
});

test("what the twin has no room for is refused, never half accepted", async () => {
  const { usage, counts } = await setupTwin({ limits: { eventsMax: 3 } });
  expect((await usage(`[${EVENT},${EVENT}]`)).status).toBe(200);
  expect((await usage(`[${EVENT},${EVENT}]`)).status).toBe(503);
  expect(await counts()).toMatchObject({ events: 2 });
});

test("a listing longer than one chunk is whole and in order", async () => {
  const { usage, lines } = await setupTwin();
  const events = Array.from({ length: 4_001 }, (_, index) => `{"n":${index}}`);
  await usage(`[${events.join(",")}]`);
  expect(await lines()).toEqual(events);
});
