import { expect, onTestFinished, test } from "vitest";
import { SOLVIMON } from "../../shared/events/kind.ts";
import { withTimestamp } from "../../shared/intake/solvimon-answer.ts";
import { until } from "../../tools/processes/until.ts";
import { openDestination } from "./support/destination.ts";
import { eventNumber, setup } from "./support/setup.ts";
import { SOLVIMON_KINDS, solvimonEvent, solvimonEvents } from "./support/solvimon-events.ts";
import { solvimonLines, vendorSetup } from "./support/vendor.ts";

const QUICK = { upload: "linger_ms = 0\nbackoff_base_ms = 1\nbackoff_max_ms = 20" };
const TIME = '"timestamp":"2026-01-02T03:04:05Z"';

test("events go to Solvimon one a call, meter data in lists of 50, byte for byte with their platform", async () => {
  const { agent, twin, taken } = await vendorSetup("solvimon", { agent: { upload: "linger_ms = 100" } });
  for (const kind of SOLVIMON_KINDS) {
    const texts = Array.from({ length: 60 }, (_, n) => solvimonEvent(kind, `"reference":"reference-${n}",${TIME}`));
    const list = `{"${kind.replace("-", "_")}${kind === "meter-data" ? "s" : "_datas"}":[${texts.join(",")}]}`;
    const answer = await agent.post(`/v1${SOLVIMON[kind].paths.list[0]}`, list, { "x-platform-id": "p1" });
    expect(answer.status).toBe(200);
    await agent.drained();
    expect((await taken(kind)).toSorted()).toEqual(texts.toSorted());
  }
  const calls = await twin.requests();
  const counts = Map.groupBy(calls, (call) => String(call["path"]));
  expect([...counts].map(([path, of]) => [path, of.length])).toEqual([
    ["/v1/ingest/persist-data", 60],
    ["/v1/ingest/charge-data", 60],
    ["/v1/ingest/adjustment-data", 60],
    ["/v1/ingest/meter-datas", 2],
  ]);
  expect(calls.every((call) => (call["headers"] as Record<string, string>)["x-platform-id"] === "p1")).toBe(true);
  expect(new Set(calls.map((call) => call["idempotency_key"])).size).toBe(calls.length);
});

test("an absent timestamp is the time of first receipt, the one the 201 named, however late it is delivered", async () => {
  const { agent, twin, taken } = await vendorSetup("solvimon", { agent: QUICK });
  await twin.faults([{ times: 3, status: 503 }]);
  for (const kind of SOLVIMON_KINDS) {
    const answer = await agent.post(`/v1${SOLVIMON[kind].paths.single[0]}`, solvimonEvent(kind));
    const { timestamp } = (await answer.json()) as { timestamp: string };
    await agent.drained();
    expect(await taken(kind)).toEqual([withTimestamp(solvimonEvent(kind), timestamp)]);
  }
});

test("through lost answers, 5xx, 429 and 401, each event is at Solvimon once", async () => {
  const { agent, twin, taken } = await vendorSetup("solvimon", { agent: QUICK });
  await twin.faults([
    { times: 3, drop: "after" },
    { times: 2, status: 503 },
    { times: 1, status: 429, headers: { "retry-after": "0" } },
    { times: 1, status: 401 },
    { times: 2, drop: "before" },
    { path: "/v1/ingest/meter-datas", times: 1, drop: "after" },
  ]);
  const texts = SOLVIMON_KINDS.map((kind) => [kind, solvimonEvents(kind, 30)] as const);
  for (const [kind, events] of texts) {
    for (const event of events) await agent.post(`/v1${SOLVIMON[kind].paths.single[0]}`, event);
  }
  const { ledger } = await agent.drained();
  expect(ledger).toMatchObject({ accepted: 120, delivered: 120, quarantined: 0 });
  for (const [kind] of texts) {
    const references = (await taken(kind)).map((text) => (JSON.parse(text) as { reference: string }).reference);
    expect(references.toSorted()).toEqual(Array.from({ length: 30 }, (_, n) => `reference-${n}`).toSorted());
  }
});

test("a 409 counts as delivered only after an attempt of that call without an answer", async () => {
  // A vendor that knows references but no keys: the repeat of a call it has taken is refused.
  const { agent, twin, taken } = await vendorSetup("solvimon", {
    twin: { solvimon: { honoursIdempotencyKeys: false } },
    agent: QUICK,
  });
  const [mine = "", foreign = ""] = solvimonEvents("charge", 2);
  await twin.solvimon("ingest/charge-data", foreign);
  await twin.faults([{ times: 1, drop: "after" }]);
  await agent.post("/v1/ingest/charge-data", mine);
  expect((await agent.drained()).ledger).toMatchObject({ delivered: 1, quarantined: 0 });
  await agent.post("/v1/ingest/charge-data", foreign);
  expect((await agent.drained()).ledger).toMatchObject({ delivered: 1, quarantined: 1 });
  // A refusal in between leaves no doubt behind.
  await twin.faults([{ times: 1, status: 503 }]);
  await agent.post("/v1/ingest/charge-data", foreign);
  expect((await agent.drained()).ledger).toMatchObject({ delivered: 1, quarantined: 2 });
  expect(await taken("charge")).toHaveLength(2);
});

test("over a restart only the call that was under way is in doubt", async () => {
  const vendor = await openDestination();
  onTestFinished(() => vendor.close());
  let mute = true;
  const references = (body: string) => (JSON.parse(body) as { reference: string }).reference;
  vendor.reply = ({ body }) => {
    if (mute) return references(body) === "reference-1" ? "hang" : { status: 201, body: {} };
    return { status: 409, body: { code: "RESOURCE_ALREADY_EXISTS", message: "the reference was used before" } };
  };
  await using agent = await setup({ destination: solvimonLines(vendor.url), upload: "linger_ms = 100" });
  await agent.post("/v1/ingest/charge-datas", `{"charge_datas":[${solvimonEvents("charge", 4).join(",")}]}`);
  await until(() => vendor.calls.length === 2, { what: "the call that hangs" });
  await agent.restart();
  mute = false;
  const { ledger } = await agent.drained();
  // Event 0 was delivered, 1 in doubt; 2 and 3 never went out, so their references belong to others.
  expect(ledger).toMatchObject({ accepted: 4, delivered: 2, quarantined: 2 });
  const keys = vendor.calls.map((call) =>
    [references(call.body), call.headers["idempotency-key"], call.body].join(" "),
  );
  expect(new Set(keys).size).toBe(4);
});

test("a call that was refused before a restart is not in doubt after it", async () => {
  const vendor = await openDestination();
  onTestFinished(() => vendor.close());
  vendor.reply = () => ({ status: 503 });
  await using agent = await setup({
    destination: solvimonLines(vendor.url),
    upload: "linger_ms = 0\nbackoff_base_ms = 60000",
  });
  await agent.post("/v1/ingest/charge-data", solvimonEvent("charge", '"reference":"theirs"'));
  await agent.reach("the refusal", ({ destination }) => destination.state === "backing_off");
  vendor.reply = () => ({ status: 409, body: { code: "RESOURCE_ALREADY_EXISTS", message: "used before" } });
  await agent.restart();
  expect((await agent.drained()).ledger).toMatchObject({ delivered: 0, quarantined: 1 });
});

test("one event's refusal quarantines it alone, with Solvimon's words", async () => {
  const { agent, twin, taken } = await vendorSetup("solvimon", {
    agent: { upload: "linger_ms = 50\nbackoff_base_ms = 1" },
  });
  await twin.faults([{ contains: "reference-7", times: 100, status: 400 }]);
  await agent.post("/v1/ingest/charge-datas", `{"charge_datas":[${solvimonEvents("charge", 20).join(",")}]}`);
  await agent.post("/v1/ingest/meter-datas", `{"meter_datas":[${solvimonEvents("meter-data", 20).join(",")}]}`);
  const { streams } = await agent.drained();
  expect(streams.map(({ ledger }) => [ledger.delivered, ledger.quarantined])).toEqual([
    [19, 1],
    [19, 1],
  ]);
  expect([await taken("charge"), await taken("meter-data")].map((texts) => texts.length)).toEqual([19, 19]);
});

test.each([
  ["plainly", "is_last_reprocess_item"],
  ["in escapes", "is_last\\u005freprocess\\u005fitem"],
])("the event that closes a reprocessing group, named %s, goes out after all that came before it", async (_, name) => {
  const { agent, twin, taken } = await vendorSetup("solvimon", { agent: QUICK });
  await twin.faults([{ contains: "reference-3", times: 5, status: 503 }]);
  const members = (n: number) => `"reference":"reference-${n}","reprocess_id":"g"`;
  for (let n = 0; n < 8; n++) await agent.post("/v1/ingest/persist-data", solvimonEvent("persist", members(n)));
  const closing = solvimonEvent("persist", `${members(8)},"${name}":true`);
  await agent.post("/v1/ingest/persist-data", closing);
  await agent.drained();
  const texts = await taken("persist");
  expect(texts).toHaveLength(9);
  expect(texts.at(-1)).toContain(name);
});

test("usage stays pending at a Solvimon destination; a calculation goes straight there", async () => {
  const { agent } = await vendorSetup("solvimon");
  await agent.post("/usage/bulk/m", eventNumber(1));
  const status = await agent.reach("the status to say so", ({ destination }) => destination.state === "paused");
  expect(status.destination.last_error).toBe("usage/m stays here: a solvimon destination takes no usage streams");
  expect(status.ledger.pending).toBe(1);
  const answer = await agent.post("/v1/events/calculate", solvimonEvent("meter-data"));
  expect([answer.status, ((await answer.json()) as { object_type: string }).object_type]).toEqual([201, "METER_DATA"]);
});
