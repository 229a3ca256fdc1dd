import { expect, onTestFinished, test } from "vitest";
import { until } from "../../tools/processes/until.ts";
import { openDestination } from "./support/destination.ts";
import { eventNumber, events, setup } from "./support/setup.ts";
import { solvimonEvent } from "./support/solvimon-events.ts";
import { vendorSetup, zuoraLines } from "./support/vendor.ts";

const INGEST = "/meters/streaming/ingestion/";
const TWENTY = { upload: "linger_ms = 0\nbackoff_base_ms = 1\nbackoff_max_ms = 20\nbatch_events = 20" };

test("usage goes to Zuora with a token, gzipped, byte for byte, scopes apart", async () => {
  const { agent, twin, taken } = await vendorSetup("zuora", { agent: { upload: "linger_ms = 100" } });
  const odd =
    '{ "CustomerId":"c","UsageIdentifier":"u","UsageDate":"2026-01-02T03:04:05Z" , "Quantity" : 12345678901234567890.10 }';
  await agent.post("/usage/bulk/m", `[${odd} , ${eventNumber(1)}]`, {
    "zuora-entity-ids": "e1",
    "zuora-org-ids": "o1",
  });
  await agent.post("/usage/bulk/m", eventNumber(2), { "zuora-entity-ids": "e2" });
  const status = await agent.drained();
  expect(status.destination).toMatchObject({ state: "ok" });
  expect((await taken("usage/m")).toSorted()).toEqual([odd, eventNumber(1), eventNumber(2)].toSorted());
  const calls = await twin.requests();
  expect(calls).toHaveLength(2);
  for (const call of calls) expect(call).toMatchObject({ path: `${INGEST}m`, gzip: true, status: 200 });
  expect(calls.map((call) => call["headers"])).toContainEqual(
    expect.objectContaining({ "zuora-entity-ids": "e1", "zuora-org-ids": "o1" }),
  );
  expect(new Set(calls.map((call) => call["idempotency_key"])).size).toBe(2);
});

test("through lost answers, 5xx, 429, 401 and 413, each event is at Zuora once", async () => {
  const { agent, twin, taken } = await vendorSetup("zuora", {
    twin: { zuora: { eventsMax: 7 } },
    agent: TWENTY,
  });
  await twin.faults([
    { path: "/oauth/token", times: 1, status: 500 },
    { path: INGEST, times: 2, drop: "after" },
    { path: INGEST, times: 2, status: 503 },
    { path: INGEST, times: 1, status: 429, headers: { "retry-after": "0" } },
    { path: INGEST, times: 1, status: 401 },
    { path: INGEST, times: 1, drop: "before" },
    { path: INGEST, times: 3, drop: "after" },
  ]);
  const texts = events(100);
  for (let n = 0; n < 100; n += 10) await agent.post("/usage/bulk/m", `[${texts.slice(n, n + 10).join(",")}]`);
  const { ledger } = await agent.drained();
  expect(ledger).toMatchObject({ accepted: 100, delivered: 100, quarantined: 0 });
  expect((await taken()).toSorted()).toEqual(texts.toSorted());
  expect(await twin.pendingFaults()).toEqual([]);
});

test("a call that may have been accepted is repeated to the letter, over a restart and with more waiting", async () => {
  const vendor = await openDestination();
  onTestFinished(() => vendor.close());
  let mute = true;
  vendor.reply = (call) => {
    if (call.path === "/oauth/token") return { status: 200, body: { access_token: "t", expires_in: 3600 } };
    return mute ? "hang" : { status: 200, body: { success: true } };
  };
  await using agent = await setup({ destination: zuoraLines(vendor.url) });
  const ingested = () => vendor.calls.filter((call) => call.path === `${INGEST}m`);
  await agent.post("/usage/bulk/m", `[${events(3).join(",")}]`);
  await until(() => ingested().length === 1, { what: "the first attempt" });
  await agent.post("/usage/bulk/m", `[${events(3, 3).join(",")}]`);
  await until(() => ingested().length === 2, { what: "the second call" });
  await agent.restart();
  mute = false;
  await agent.drained();
  const calls = ingested().map((call) => `${call.headers["idempotency-key"]} ${call.body}`);
  expect(new Set(calls).size).toBe(2);
  expect(new Set(ingested().flatMap((call) => call.events))).toEqual(new Set(events(6)));
  expect(ingested().every((call) => call.headers.authorization === "Bearer t" && !("x-api-key" in call.headers))).toBe(
    true,
  );
});

test("a bad event is found and quarantined in Zuora's words, its companions delivered", async () => {
  const { agent, twin, taken } = await vendorSetup("zuora", {
    agent: { upload: "linger_ms = 50\nbackoff_base_ms = 1" },
  });
  await twin.faults([{ path: INGEST, contains: '"CustomerId":"c5"', times: 100, status: 400 }]);
  await agent.post("/usage/bulk/m", `[${events(9).join(",")}]`);
  const { ledger } = await agent.drained();
  expect(ledger).toMatchObject({ delivered: 8, quarantined: 1 });
  expect((await taken()).toSorted()).toEqual(
    events(9)
      .filter((_, n) => n !== 5)
      .toSorted(),
  );
});

test("a 401 brings one new token; wrong credentials pause, and what was kept goes out once they are right", async () => {
  const { agent, twin, taken } = await vendorSetup("zuora", {
    agent: { upload: "linger_ms = 0\nbackoff_base_ms = 1\nbackoff_max_ms = 50" },
  });
  // Until it is taken back: a pause of so many probes may be over before anybody has looked.
  await twin.faults([{ path: "/oauth/token", times: 1_000_000, status: 401 }]);
  await agent.post("/usage/bulk/m", eventNumber(1));
  const paused = await agent.reach("the pause", ({ destination }) => destination.state === "paused");
  expect(paused.destination.last_error).toContain("401");
  expect(paused.ledger.pending).toBe(1);
  await twin.clearFaults();
  await agent.drained();
  await twin.faults([{ path: INGEST, times: 2, status: 401 }]);
  await agent.post("/usage/bulk/m", eventNumber(2));
  await agent.drained();
  expect(await taken()).toEqual([eventNumber(1), eventNumber(2)]);
});

test("Solvimon's events stay pending at a Zuora destination, and the status says why", async () => {
  const { agent, taken } = await vendorSetup("zuora");
  await agent.post("/v1/ingest/persist-data", solvimonEvent("persist"));
  await agent.post("/usage/bulk/m", eventNumber(1));
  await agent.reach("the rest to be delivered", ({ ledger }) => ledger.delivered === 1);
  // The two streams go their own ways: the one may be through before the other was looked at.
  const status = await agent.reach("the status to say why", ({ destination }) => destination.state === "paused");
  expect(status.destination.last_error).toBe("persist stays here: a zuora destination takes usage streams only");
  expect(status.ledger.pending).toBe(1);
  expect(await taken()).toEqual([eventNumber(1)]);
  expect((await agent.post("/v1/events/calculate", "{}")).status).toBe(404);
});
