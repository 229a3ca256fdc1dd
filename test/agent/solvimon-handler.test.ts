import { writeFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { SOLVIMON } from "../../shared/events/kind.ts";
import { eventId } from "../../shared/identity.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { eventNumber, type Setup, setup } from "./support/setup.ts";
import { SOLVIMON_KINDS, solvimonEvent, solvimonEvents } from "./support/solvimon-events.ts";

interface Body {
  readonly [field: string]: unknown;
  readonly id: string;
  readonly timestamp: string;
  readonly code?: string;
  readonly reasons: readonly { readonly code: string; readonly field?: string; readonly index?: number }[];
  readonly results?: readonly { readonly status: string; readonly id: string; readonly index: number }[];
}

/** Posts and reads the answer whole. */
async function post(agent: Setup, path: string, body: string | Uint8Array, headers: Record<string, string> = {}) {
  const response = await agent.post(path, body, headers);
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) as Body };
}

const LENIENT = { prefer: "handling=lenient, return=representation" };
const SINGLES = SOLVIMON_KINDS.flatMap((kind) => SOLVIMON[kind].paths.single.map((path) => [kind, path] as const));
const LISTS = SOLVIMON_KINDS.flatMap((kind) => SOLVIMON[kind].paths.list.map((path) => [kind, path] as const));
const PREFIX = { persist: "prda_", charge: "chda_", adjustment: "adda_", "meter-data": "mtda_" };
const MEMBER = {
  persist: "persist_datas",
  charge: "charge_datas",
  adjustment: "adjustment_datas",
  "meter-data": "meter_datas",
};
const PERSIST = "/v1/ingest/persist-data";
const PERSISTS = "/v1/ingest/persist-datas";

test.each(SINGLES)("%s at %s: 201 with the resource, with no edge in reach", async (kind, path) => {
  await using agent = await setup({ reply: () => "cut" });
  const before = Date.now();
  const answer = await post(agent, `/v1${path}`, solvimonEvent(kind, '"reference":"reference-1","timestamp":null'));
  expect([answer.status, answer.headers.get("x-request-id")]).toEqual([
    201,
    expect.stringMatching(/^reqr_[A-Za-z0-9]{20}$/),
  ]);
  expect(answer.body.id).toBe(eventId(kind, kind, { by: "id", id: "reference-1" }));
  expect(answer.body["object_type"]).toBe(`${kind.toUpperCase().replace("-DATA", "")}_DATA`);
  expect(answer.text).toContain('"extra":12345678901234567890.50');
  expect(Date.parse(answer.body.timestamp)).toBeGreaterThanOrEqual(before);
  expect((await agent.agent.status()).streams).toMatchObject([{ stream: kind, ledger: { accepted: 1, pending: 1 } }]);
});

test.each(LISTS)("%s at %s: 200 with counts and results, with no edge in reach", async (kind, path) => {
  await using agent = await setup({ reply: () => "cut" });
  const events = [...solvimonEvents(kind, 2), solvimonEvent(kind)];
  const answer = await post(agent, `/v1${path}`, `{"${MEMBER[kind]}":[${events.join(" , ")}]}`, LENIENT);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("preference-applied")).toBe("handling=lenient, return=representation");
  expect(answer.body).toMatchObject({ success: true, accepted: 3, duplicates: 0, conflicts: 0, quarantined: 0 });
  const { producer } = await agent.agent.status();
  expect(answer.body.results).toEqual([
    { index: 0, status: "accepted", id: eventId(kind, kind, { by: "id", id: "reference-0" }) },
    { index: 1, status: "accepted", id: eventId(kind, kind, { by: "id", id: "reference-1" }) },
    {
      index: 2,
      status: "accepted",
      id: eventId(kind, kind, { by: "position", producer: producer ?? "", position: 3 }),
    },
  ]);
});

test("an event without an own id has one from its position, and a given timestamp stays", async () => {
  await using agent = await setup();
  const time = '"timestamp":"2026-01-02T03:04:05+01:00"';
  const answer = await post(agent, PERSIST, gzipSync(solvimonEvent("persist", `"reference":null,${time}`)), {
    "content-encoding": "gzip",
    "content-type": "Application/JSON; charset=utf-8",
  });
  const { producer } = await agent.drained();
  expect(answer.body.id).toBe(eventId("persist", "persist", { by: "position", producer: producer ?? "", position: 1 }));
  expect(answer.body.id.startsWith(PREFIX.persist)).toBe(true);
  expect(answer.body.timestamp).toBe("2026-01-02T03:04:05+01:00");
});

test.each<[name: string, path: string, body: string, headers: Record<string, string>, status: number, code: string]>([
  ["unknown operation", "/v1/ingest/nothing", "{}", {}, 404, "RESOURCE_NOT_FOUND"],
  ["content type", PERSIST, "x", { "content-type": "text/plain" }, 415, "UNSUPPORTED_MEDIA_TYPE"],
  ["lines of JSON", PERSISTS, "x", { "content-type": "application/x-ndjson" }, 415, "UNSUPPORTED_MEDIA_TYPE"],
  ["coding", PERSIST, "x", { "content-encoding": "br" }, 415, "UNSUPPORTED_MEDIA_TYPE"],
  ["size", PERSIST, `{"a":"${"x".repeat(4_000_000)}"}`, {}, 413, "BAD_REQUEST"],
  ["version before type", "/v2/ingest/persist-data", "x", { "content-type": "text/plain" }, 400, "UNSUPPORTED_VERSION"],
  ["count", PERSISTS, `{"persist_datas":[${"{},".repeat(200_000)}{}]}`, {}, 413, "BAD_REQUEST"],
  ["version", "/v2/ingest/persist-data", "{}", {}, 400, "UNSUPPORTED_VERSION"],
  ["version of a list", "/vlatest/ingest/persist-datas", "{}", {}, 400, "UNSUPPORTED_VERSION"],
  ["no JSON", PERSIST, "{", {}, 400, "BAD_REQUEST"],
  ["no object", PERSIST, "[]", {}, 400, "BAD_REQUEST"],
  ["no gzip", PERSIST, "{}", { "content-encoding": "gzip" }, 400, "BAD_REQUEST"],
  ["empty list", PERSISTS, '{"persist_datas":[]}', {}, 400, "BAD_REQUEST"],
  ["no list", PERSISTS, "{}", {}, 400, "MISSING_FIELD"],
  ["required field", PERSIST, "{}", {}, 400, "MISSING_FIELD"],
  ["key too long", PERSIST, "{}", { "idempotency-key": "k".repeat(256) }, 400, "INVALID_FIELD"],
  ["a client's position", PERSIST, "{}", { "weir-producer": "p", "weir-sequence": "1" }, 400, "INVALID_FIELD"],
])("refused in Solvimon's shape: %s", async (_, path, body, headers, status, code) => {
  await using agent = await setup();
  const answer = await post(agent, path, body, headers);
  expect([answer.status, answer.body.code]).toEqual([status, code]);
  expect(answer.body).toMatchObject({ type: "INVALID_REQUEST", message: expect.any(String) });
  expect(answer.body.reasons[0]?.code).toBe(code);
  expect((await agent.agent.status()).ledger.accepted).toBe(0);
});

test("a single event's validation errors are listed without an index, a strict list's with one; nothing is accepted", async () => {
  await using agent = await setup();
  const bad = solvimonEvent("persist", '"persist_usage":1,"timestamp":"yesterday"');
  const single = await post(agent, PERSIST, bad);
  const fields = ["persist_usage", "timestamp"];
  expect(single.status).toBe(400);
  expect(single.body).toMatchObject({ code: "INVALID_FIELD", field: "persist_usage" });
  expect(single.body.reasons.map(({ field, index }) => [field, index])).toEqual(
    fields.map((field) => [field, undefined]),
  );
  const list = await post(agent, PERSISTS, `{"persist_datas":[${solvimonEvent("persist")},${bad}]}`);
  expect(list.status).toBe(400);
  expect(list.body.reasons.map(({ field, index }) => [field, index])).toEqual(fields.map((field) => [field, 1]));
  expect((await agent.agent.status()).ledger.accepted).toBe(0);
});

test("a list may hold more events than a call upstream, and is cut up for it", async () => {
  await using agent = await setup({
    listen: "max_events = 10",
    upload: "linger_ms = 0\nbackoff_base_ms = 1\nbatch_events = 3",
  });
  const list = (count: number) => `{"persist_datas":[${solvimonEvents("persist", count).join(",")}]}`;
  expect((await post(agent, PERSISTS, list(10))).status).toBe(200);
  await agent.drained();
  expect([...agent.destination.taken.values()].toSorted()).toEqual(solvimonEvents("persist", 10).toSorted());
  expect(agent.destination.calls.every(({ events }) => events.length <= 3)).toBe(true);
  const refused = await post(agent, PERSISTS, list(11));
  expect([refused.status, refused.body["message"]]).toEqual([413, "the body has more than 10 events"]);
  expect((await agent.agent.status()).ledger.accepted).toBe(10);
});

test("a lenient list keeps its invalid events in quarantine and delivers the rest", async () => {
  await using agent = await setup();
  const events = [solvimonEvent("charge"), solvimonEvent("charge", '"description":5'), solvimonEvent("charge")];
  const answer = await post(agent, "/v1/ingest/charge-datas", `{"charge_datas":[${events.join(",")}]}`, LENIENT);
  expect(answer.body).toMatchObject({ accepted: 2, quarantined: 1 });
  expect(answer.body.results?.[1]).toMatchObject({
    status: "quarantined",
    reasons: [{ field: "description", index: 1 }],
  });
  const { ledger } = await agent.drained();
  expect(ledger).toMatchObject({ accepted: 3, delivered: 2, quarantined: 1 });
  expect([...agent.destination.taken.values()]).toEqual([events[0], events[2]]);
});

test("a repeated Idempotency-Key gets the original resource with its first timestamp, over a restart", async () => {
  await using agent = await setup();
  const key = { "idempotency-key": "k1" };
  const first = await post(agent, PERSIST, solvimonEvent("persist"), key);
  expect(first.headers.get("idempotent-replayed")).toBe(null);
  await agent.restart();
  const again = await post(agent, PERSIST, solvimonEvent("persist").replaceAll(",", " , "), key);
  expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([201, "true"]);
  expect(again.body).toEqual(first.body);
  expect((await agent.drained()).ledger.accepted).toBe(1);
  expect(agent.destination.calls.some(({ headers }) => "idempotency-key" in headers)).toBe(false);
});

test("other content under a known key: 409 for a single event and a strict list, a conflict in a lenient one", async () => {
  await using agent = await setup();
  const key = { "idempotency-key": "k1" };
  await post(agent, PERSIST, solvimonEvent("persist"), key);
  const changed = solvimonEvent("persist", '"persist_usage":"2"');
  const single = await post(agent, PERSIST, changed, key);
  expect([single.status, single.body.code]).toEqual([409, "IDEMPOTENCY_CHECK_FAILED"]);
  expect(single.body.reasons).toEqual([{ code: "IDEMPOTENCY_CHECK_FAILED", message: expect.any(String) }]);
  const body = `{"persist_datas":[${changed},${solvimonEvent("persist")}]}`;
  const strict = await post(agent, PERSISTS, body, key);
  expect([strict.status, strict.body.reasons[0]?.index]).toEqual([409, 0]);
  const lenient = await post(agent, PERSISTS, body, { ...key, ...LENIENT });
  expect(lenient.body).toMatchObject({ accepted: 1, conflicts: 1 });
  // An own id outranks the key: another one is another event.
  const owned = (reference: string) =>
    post(agent, PERSIST, solvimonEvent("persist", `"reference":"${reference}"`), { "idempotency-key": "k2" });
  expect([(await owned("a")).status, (await owned("b")).status]).toEqual([201, 201]);
});

test("read-only fields are no content: with and without them it is the same event", async () => {
  await using agent = await setup();
  const key = { "idempotency-key": "k1" };
  const first = await post(agent, "/v1/ingest/meter-data", solvimonEvent("meter-data"), key);
  const again = await post(agent, "/v1/events/ingest", solvimonEvent("meter-data", '"id":"x","deleted":true'), key);
  expect(again.headers.get("idempotent-replayed")).toBe("true");
  expect(again.body).toEqual(first.body);
});

test("with a token configured every route wants it: 401 in Solvimon's shape", async () => {
  const secrets = tempDir("weir-token");
  writeFileSync(`${secrets.path}/token`, "secret\n");
  await using agent = await setup({ listen: `token_file = "${secrets.path}/token"` });
  for (const path of [PERSIST, PERSISTS, "/v1/events/calculate", "/v1/nothing"]) {
    const answer = await post(agent, path, solvimonEvent("persist"), { "x-api-key": "any" });
    expect([path, answer.status, answer.body.code]).toEqual([path, 401, "UNAUTHORISED"]);
  }
  const letIn = await post(agent, PERSIST, solvimonEvent("persist"), { authorization: "Bearer secret" });
  expect(letIn.status).toBe(201);
  secrets.remove();
});

test("a full buffer answers 429 with Retry-After in Solvimon's shape", async () => {
  await using agent = await setup({ buffer: 'max_bytes = "1 MB"', reply: () => ({ status: 500 }) });
  const body = (n: number) => solvimonEvent("persist", `"n":${n},"padding":"${"x".repeat(100_000)}"`);
  let answer = await post(agent, PERSIST, body(0));
  for (let n = 1; n < 100 && answer.status === 201; n++) answer = await post(agent, PERSIST, body(n));
  expect([answer.status, answer.body.code, answer.headers.get("retry-after")]).toEqual([429, "BAD_REQUEST", "5"]);
});

test("events reach the edge byte for byte, in lists with the time each was first received", async () => {
  let down = true;
  await using agent = await setup({ reply: () => (down ? { status: 503 } : undefined) });
  const received: [number, number][] = [];
  for (const kind of SOLVIMON_KINDS) {
    const before = Date.now();
    await post(agent, `/v1${SOLVIMON[kind].paths.single[0]}`, solvimonEvent(kind, '"timestamp" : null'));
    const list = `{ "${MEMBER[kind]}" : [ ${solvimonEvents(kind, 3).join(" ,\n")} ] }`;
    await post(agent, `/v1${SOLVIMON[kind].paths.list[0]}`, list);
    received.push([before, Date.now()]);
  }
  down = false;
  const { producer } = await agent.drained();
  for (const [n, kind] of SOLVIMON_KINDS.entries()) {
    const calls = agent.destination.calls.filter((call) => call.stream === kind);
    const positions = new Map(calls.flatMap((call) => call.events.map((event, i) => [call.first + i, event] as const)));
    expect([...positions.keys()].toSorted()).toEqual([1, 2, 3, 4]);
    expect([1, 2, 3, 4].map((position) => positions.get(position))).toEqual([
      solvimonEvent(kind, '"timestamp" : null'),
      ...solvimonEvents(kind, 3),
    ]);
    for (const call of calls) {
      expect(call.path).toBe(`/v1${SOLVIMON[kind].paths.list[0]}`);
      expect(call.headers).toMatchObject({
        "weir-producer": producer,
        prefer: LENIENT.prefer,
        "content-encoding": "gzip",
      });
      const times = (JSON.parse(call.body) as { received_at: string[] }).received_at.map((time) => Date.parse(time));
      expect(times.length).toBe(call.events.length);
      const [from, to] = received[n] ?? [0, 0];
      expect(times.every((time) => time >= from && time <= to)).toBe(true);
    }
  }
});

test("platforms are sent on and never mixed in one call", async () => {
  await using agent = await setup({ upload: "linger_ms = 150" });
  for (const [n, platform] of ["a", "a", "b", null, "b", "b"].entries()) {
    const [event = ""] = solvimonEvents("adjustment", 1, n);
    await post(agent, "/v1/ingest/adjustment-data", event, platform === null ? {} : { "x-platform-id": platform });
  }
  await agent.drained();
  const calls = agent.destination.calls.map(({ headers, first, events }) => [
    first,
    headers["x-platform-id"],
    events.length,
  ]);
  expect(calls.toSorted()).toEqual([
    [1, "a", 2],
    [3, "b", 1],
    [4, undefined, 1],
    [5, "b", 2],
  ]);
});

test("the edge's 400 finds the rejected event of a list, its 413 halves one", async () => {
  const bad = solvimonEvent("charge", '"reference":"rejected"');
  await using agent = await setup({
    upload: "linger_ms = 100",
    reply: (call) => {
      if (call.events.length > 3) return { status: 413 };
      const body = { type: "INVALID_REQUEST", code: "INVALID_FIELD", message: "no such item" };
      return call.events.includes(bad) ? { status: 400, body } : undefined;
    },
  });
  const events = [...solvimonEvents("charge", 5), bad, ...solvimonEvents("charge", 4, 10)];
  await post(agent, "/v1/ingest/charge-datas", `{"charge_datas":[${events.join(",")}]}`);
  const { ledger } = await agent.drained();
  expect(ledger).toMatchObject({ accepted: 10, delivered: 9, quarantined: 1 });
  expect([...agent.destination.taken.values()]).toEqual(events.filter((event) => event !== bad));
});

test("a calculation is handed on and its answer handed back, bytes and headers", async () => {
  await using agent = await setup({
    reply: () => ({ status: 201, headers: { "x-request-id": "reqr_edge" }, body: '{ "amount" : 1.10 }' }),
  });
  const zipped = gzipSync('{ "n" : 1.0 }');
  const answer = await post(agent, "/v1/events/calculate?cost_prediction=true", zipped, {
    "content-encoding": "gzip",
    "x-platform-id": "p1",
    "x-api-key": "the caller's own",
    authorization: "Bearer mine",
  });
  expect([answer.status, answer.text, answer.headers.get("x-request-id")]).toEqual([
    201,
    '{ "amount" : 1.10 }',
    "reqr_edge",
  ]);
  const [call] = agent.destination.calls;
  expect(call?.path).toBe("/v1/events/calculate?cost_prediction=true");
  expect(call?.body).toBe(gunzipSync(zipped).toString());
  expect(call?.headers).toMatchObject({ "x-platform-id": "p1", "x-api-key": "test-key" });
  expect(call?.headers.authorization).toBe(undefined);
  agent.destination.reply = () => ({ status: 400, body: { code: "MISSING_FIELD" } });
  expect((await post(agent, "/v1/events/calculate", "{}")).status).toBe(400);
});

test("a calculation that gets no answer is 503 in Solvimon's shape, and nothing is kept", async () => {
  await using agent = await setup({ reply: () => "cut" });
  const answer = await post(agent, "/v1/events/calculate", "{}");
  expect([answer.status, answer.body.code, answer.body["type"]]).toEqual([503, "INTERNAL_ERROR", "API_ERROR"]);
  expect((await agent.agent.status()).ledger.accepted).toBe(0);
});

test("usage events and Solvimon's side by side keep ledgers of their own", async () => {
  await using agent = await setup();
  await post(agent, "/usage/bulk/m", eventNumber(1));
  for (const kind of SOLVIMON_KINDS) await post(agent, `/v1${SOLVIMON[kind].paths.single[0]}`, solvimonEvent(kind));
  const { streams } = await agent.drained();
  expect(streams.map(({ stream, ledger }) => [stream, ledger.delivered]).toSorted()).toEqual(
    ["adjustment", "charge", "meter-data", "persist", "usage/m"].map((stream) => [stream, 1]),
  );
});
