import { expect, test } from "vitest";
import { until } from "../../tools/processes/until.ts";
import { setupTwin } from "./setup.ts";

const EVENT = '{"CustomerId":"c","Quantity":1}';

test("scripted failures strike matching calls in the order of the script, each as often as it says", async () => {
  const { usage, solvimon, faults } = await setupTwin();
  await faults([
    { path: "/v1/", times: 1, status: 500 },
    { times: 2, status: 503, headers: { "Retry-After": 7 } },
    { times: 1, status: 413 },
  ]);
  const first = await usage(EVENT);
  expect([first.status, first.headers.get("retry-after")]).toEqual([503, "7"]);
  expect((await solvimon("events/ingest", "{}")).status).toBe(500);
  expect((await solvimon("events/ingest", "{}")).status).toBe(503);
  expect((await usage(EVENT)).status).toBe(413);
  expect((await usage(EVENT)).status).toBe(200);
});

test("a later script waits for the earlier one", async () => {
  const { usage, faults } = await setupTwin();
  await faults([{ times: 1, status: 500 }]);
  await faults([{ times: 1, status: 502 }]);
  expect([(await usage(EVENT)).status, (await usage(EVENT)).status]).toEqual([500, 502]);
});

test("a scripted status takes no events and speaks in the vendor's shape", async () => {
  const { usage, solvimon, faults, counts } = await setupTwin();
  await faults([{ times: 2, status: 400 }]);
  expect(await (await usage(EVENT)).json()).toMatchObject({ success: false, reasons: [{ code: 70000000 }] });
  expect(await (await solvimon("events/ingest", "{}")).json()).toMatchObject({ type: "INVALID_REQUEST" });
  expect(await counts()).toMatchObject({ requests: 2, events: 0 });
});

test("a failure by content strikes until the rejected event stands alone", async () => {
  const { usage, faults, lines } = await setupTwin();
  await faults([{ contains: '"bad"', times: 100, status: 400 }]);
  expect((await usage(`[${EVENT},{"CustomerId":"bad"}]`, { gzip: true })).status).toBe(400);
  expect((await usage(`[${EVENT}]`, { gzip: true })).status).toBe(200);
  expect((await usage('[{"CustomerId":"bad"}]')).status).toBe(400);
  expect(await lines()).toEqual([EVENT]);
});

test("token calls are struck only by a failure that names their path", async () => {
  const { askToken, faults } = await setupTwin();
  const form = { client_id: "twin-client", client_secret: "twin-secret", grant_type: "client_credentials" };
  await faults([{ times: 1, status: 500 }]);
  expect((await askToken(form)).status).toBe(200);
  await faults([{ path: "/oauth", times: 1, status: 401 }]);
  expect((await askToken(form)).status).toBe(401);
});

test("a connection cut before taking leaves nothing, one cut after leaves the events", async () => {
  const { usage, faults, counts } = await setupTwin();
  await faults([
    { times: 1, drop: "before" },
    { times: 1, drop: "after" },
  ]);
  await expect(usage(EVENT)).rejects.toThrow();
  expect(await counts()).toMatchObject({ events: 0 });
  await expect(usage(EVENT)).rejects.toThrow();
  expect(await counts()).toMatchObject({ requests: 2, events: 1 });
});

test("a delay alone lets the call go on, even when its sender has given up", async () => {
  const { url, usage, authorize, faults, pendingFaults, counts } = await setupTwin();
  const authorization = await authorize();
  await faults([
    { times: 1, delay_ms: 30 },
    { times: 1, delay_ms: 2_000 },
  ]);
  const startedAt = performance.now();
  expect((await usage(EVENT)).status).toBe(200);
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(25);
  const path = `${url}/usage/bulk/api`;
  const headers = { authorization, "content-type": "application/json" };
  const sender = new AbortController();
  const gaveUp = fetch(path, { method: "POST", headers, body: EVENT, signal: sender.signal });
  await until(async () => (await pendingFaults()).length === 0, { what: "the call to be held up" });
  sender.abort();
  await expect(gaveUp).rejects.toThrow();
  await until(async () => (await counts())["events"] === 2, { what: "the call to go on" });
});

test("headers alone change the answer of a call that is accepted", async () => {
  const { usage, faults, counts } = await setupTwin();
  await faults([{ times: 1, headers: { "ratelimit-remaining": "0" } }]);
  expect((await usage(EVENT)).headers.get("ratelimit-remaining")).toBe("0");
  expect(await counts()).toMatchObject({ events: 1 });
});

test("a 429 says how long to wait unless the script leaves it out", async () => {
  const { usage, faults } = await setupTwin();
  await faults([
    { times: 1, status: 429 },
    { times: 1, status: 429, headers: { "retry-after": null } },
  ]);
  expect((await usage(EVENT)).headers.get("retry-after")).toBe("1");
  expect((await usage(EVENT)).headers.get("retry-after")).toBeNull();
});

test.each([
  ["no JSON", "[", ""],
  ["no array", "{}", ""],
  ["no times", '[{"status":500}]', "0.times"],
  ["times that never come", '[{"status":500,"times":0}]', "0.times"],
  ["a status that is none", '[{"times":1,"status":500},{"times":1,"status":99}]', "1.status"],
  ["an unknown way to drop", '[{"times":1,"drop":"now"}]', "0.drop"],
  ["an unknown member", '[{"times":1,"drop":"after","staus":500}]', "0"],
  ["a header that is none", '[{"times":1,"status":500,"headers":{"a b":"c"}}]', "0.headers.a b"],
  ["a fault that does nothing", '[{"times":1}]', "0"],
])("a script with %s is refused whole, saying where", async (_, body, field) => {
  const { url, post, usage } = await setupTwin();
  const answer = await post("/twin/faults", body);
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ reasons: [{ field }] });
  expect(await (await fetch(`${url}/twin/faults`)).json()).toEqual({ items: [] });
  expect((await usage(EVENT)).status).toBe(200);
});

test("the script that is left can be read", async () => {
  const { url, usage, faults } = await setupTwin();
  await faults([{ times: 3, status: 500 }]);
  await usage(EVENT);
  expect(await (await fetch(`${url}/twin/faults`)).json()).toEqual({
    items: [{ times: 3, status: 500, remaining: 2 }],
  });
});
