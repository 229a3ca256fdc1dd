import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { eventId } from "../../shared/identity.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { until } from "../../tools/processes/until.ts";
import { EVENT, eventNumber, events, type Setup, setup } from "./support/setup.ts";

const PATH = "/meters/streaming/ingestion/m";
const LENIENT = { prefer: "handling=lenient, return=representation" };
const BAD = '{"CustomerId":"c","UsageIdentifier":"u","UsageDate":"2026-01-02T03:04:05Z","Quantity":"1"}';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: {
    readonly success: boolean;
    readonly message: string;
    readonly accepted: number;
    readonly duplicates: number;
    readonly conflicts: number;
    readonly quarantined: number;
    readonly reasons: { code: number; message: string; index?: number; field?: string }[];
    readonly results?: { index: number; status: string; id: string; reasons?: unknown[] }[];
  };
}

async function post(
  agent: Setup,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
  path = PATH,
): Promise<Answer> {
  const response = await agent.post(path, body, headers);
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answer["body"] };
}

const accepted = async (agent: Setup) => (await agent.agent.status()).ledger.accepted;

test.each([PATH, "/usage/bulk/m"])("an object, an array and NDJSON are taken at %s", async (path) => {
  await using agent = await setup();
  for (const [body, type, count] of [
    [EVENT, "application/json", 1],
    [`[${EVENT}, ${EVENT}]`, "Application/JSON; charset=UTF-8", 2],
    [`${EVENT}\n\n${EVENT}`, "application/x-ndjson", 2],
  ] as const) {
    const answer = await post(agent, body, { "content-type": type }, path);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      success: true,
      message: `${count} of ${count} events accepted`,
      accepted: count,
      duplicates: 0,
      conflicts: 0,
      quarantined: 0,
    });
    expect(answer.headers.get("x-request-id")).toMatch(/^reqr_[A-Za-z0-9]{20}$/);
  }
  expect(await accepted(agent)).toBe(5);
});

test("a strict body with validation errors is refused whole, each of them named, nothing kept", async () => {
  await using agent = await setup();
  const answer = await post(agent, `[${EVENT},${BAD},{}]`);
  expect(answer.status).toBe(400);
  expect(answer.body.reasons.map(({ index, field, code }) => [index, field, code])).toEqual([
    [1, "Quantity", 70000000],
    ...["CustomerId", "UsageIdentifier", "UsageDate", "Quantity"].map((field) => [2, field, 70000000]),
  ]);
  expect(await accepted(agent)).toBe(0);
});

test("a lenient body is accepted: valid events go on, invalid ones to quarantine, each result in its place", async () => {
  await using agent = await setup();
  const answer = await post(agent, `[${EVENT},${BAD},${EVENT}]`, LENIENT);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("preference-applied")).toBe("handling=lenient, return=representation");
  expect(answer.body).toMatchObject({ accepted: 2, quarantined: 1, duplicates: 0, conflicts: 0 });
  const { producer, ledger } = await agent.drained();
  const id = (position: number) => eventId("usage", "usage/m", { by: "position", producer: producer ?? "", position });
  expect(answer.body.results).toMatchObject([
    { index: 0, status: "accepted", id: id(1) },
    { index: 1, status: "quarantined", id: id(2), reasons: [{ field: "Quantity", index: 1 }] },
    { index: 2, status: "accepted", id: id(3) },
  ]);
  expect(ledger).toEqual({ accepted: 3, delivered: 2, pending: 0, quarantined: 1, discarded: 0 });
  expect([...agent.destination.taken.keys()].map((key) => key.split(" ").at(-1))).toEqual(["1", "3"]);
});

test("what is no JSON or no object is refused even where handling is lenient", async () => {
  await using agent = await setup();
  for (const body of ["", "[", "[1]", "null", "[]", `[${EVENT},"x"]`, "\ufeff{}", '{"a":1,"a":2}', `${EVENT} x`]) {
    expect((await post(agent, body, LENIENT)).status).toBe(400);
  }
  expect((await post(agent, Uint8Array.of(0x7b, 0xff, 0x7d), LENIENT)).status).toBe(400);
  expect(await accepted(agent)).toBe(0);
});

test("the edge's schemas rule once they were fetched, and outlive a restart without the edge", async () => {
  const fields = [
    { name: "Id", type: "string", required: true },
    { name: "N", type: "integer", required: true },
  ];
  const schemas = { streams: [{ meter_global_id: "m", event_id_field: "Id", fields, strict: true, later: 1 }] };
  await using agent = await setup({ schemas });
  const check = async (id: string) => {
    const own = await post(agent, `{"Id":"${id}","N":1}`, { prefer: "return=representation" });
    expect(own.body.results).toEqual([
      { index: 0, status: "accepted", id: eventId("usage", "usage/m", { by: "id", id }) },
    ]);
    expect((await post(agent, '{"Id":"a","N":1.0}')).status).toBe(400);
    expect((await post(agent, '{"Id":"a","N":1,"more":1}')).status).toBe(400);
    expect((await post(agent, EVENT, {}, "/usage/bulk/unknown")).status).toBe(404);
  };
  await check("a/1");
  agent.destination.schemas = null;
  await agent.restart();
  await check("a/2");
});

test("a meter or field that the edge got a moment ago is known here before anything is refused for it", async () => {
  await using agent = await setup({ schemas: { streams: [] } });
  expect((await post(agent, EVENT)).status).toBe(404);
  agent.destination.schemas = { streams: [{ meter_global_id: "m" }] };
  expect((await post(agent, EVENT)).status).toBe(200);
  expect((await post(agent, '{"N":1}')).status).toBe(400);
  const fields = [{ name: "N", type: "integer", required: true }];
  agent.destination.schemas = { streams: [{ meter_global_id: "m", fields }] };
  expect((await post(agent, '{"N":1}')).status).toBe(200);
});

test("before any schema was fetched every meter takes the four default fields", async () => {
  await using agent = await setup();
  expect((await post(agent, EVENT, {}, "/usage/bulk/any%20meter")).status).toBe(200);
  await agent.drained();
  expect(agent.destination.calls[0]?.path).toBe("/meters/streaming/ingestion/any%20meter");
});

test("refusals come in the edge's order: 401, 404, 415, 413, 400", async () => {
  const secret = tempDir("token");
  writeFileSync(`${secret.path}/token`, "s3cret\n");
  const schemas = { streams: [{ meter_global_id: "m" }] };
  await using agent = await setup({ listen: `max_events = 10000\ntoken_file = "${secret.path}/token"`, schemas });
  const wrong = { "content-type": "text/plain", "weir-producer": "x" };
  const authorized = { authorization: "Bearer s3cret" };
  const many = `[${events(10_001).join(",")}`;
  expect((await post(agent, many, wrong, "/usage/bulk/unknown")).status).toBe(401);
  expect((await post(agent, many, { ...wrong, authorization: "Bearer s3cre" })).status).toBe(401);
  expect((await post(agent, many, { ...wrong, ...authorized }, "/usage/bulk/unknown")).status).toBe(404);
  expect((await post(agent, many, { ...wrong, ...authorized })).status).toBe(415);
  expect((await post(agent, many, { "weir-producer": "x", ...authorized })).status).toBe(413);
  expect((await post(agent, "[", { "weir-producer": "x", ...authorized })).status).toBe(400);
  expect((await fetch(`${agent.agent.url}/healthz`)).status).toBe(200);
  expect((await fetch(`${agent.agent.url}/status`)).status).toBe(401);
  secret.remove();
});

test("position headers are the agent's own to set", async () => {
  await using agent = await setup();
  for (const header of ["weir-producer", "weir-sequence"]) {
    const answer = await post(agent, EVENT, { [header]: "1" });
    expect([answer.status, answer.body.reasons[0]?.field]).toEqual([400, header]);
  }
});

test("a gzipped body is inflated, one of several members or a broken one is 400, one that inflates too far is 413", async () => {
  await using agent = await setup({ listen: 'max_body_bytes = "4 MB"' });
  const gzip = { "content-encoding": "gzip" };
  expect((await post(agent, gzipSync(`[${events(1000).join(",")}]`), gzip)).body.accepted).toBe(1000);
  expect((await post(agent, "no gzip at all", gzip)).status).toBe(400);
  expect((await post(agent, gzipSync(EVENT).subarray(0, -4), gzip)).status).toBe(400);
  // One member, with nothing behind it, as the edge has it.
  const behind = ["behind", "\0\0\0", "\x1f", Buffer.from([0x1f, 0x8b, 8]), gzipSync(""), gzipSync(EVENT)];
  for (const rest of behind) {
    expect((await post(agent, Buffer.concat([gzipSync(EVENT), Buffer.from(rest)]), gzip)).status).toBe(400);
  }
  expect((await post(agent, gzipSync(" ".repeat(4_000_001)), gzip)).status).toBe(413);
  expect((await post(agent, EVENT, { "content-encoding": "br" })).status).toBe(415);
});

test("bodies, events and counts over the limit are 413, and the connection goes on", async () => {
  await using agent = await setup({ listen: 'max_body_bytes = "4 MB"\nmax_events = 10000' });
  expect((await post(agent, " ".repeat(4_000_001))).status).toBe(413);
  expect((await post(agent, `[${events(10_001).join(",")}]`)).status).toBe(413);
  const long = EVENT.replace('"c1"', `"${"x".repeat(1_000_000)}"`);
  expect((await post(agent, long)).status).toBe(413);
  expect((await post(agent, `[${events(10_000).join(",")}]`)).body.accepted).toBe(10_000);
});

test("the track id is checked and echoed, on refusals too", async () => {
  await using agent = await setup();
  const good = { "zuora-track-id": "trace 1" };
  expect((await post(agent, EVENT, good)).headers.get("zuora-track-id")).toBe("trace 1");
  expect((await post(agent, "[", good)).headers.get("zuora-track-id")).toBe("trace 1");
  const bad = await post(agent, EVENT, { "zuora-track-id": "a:b" });
  expect([bad.status, bad.headers.get("zuora-track-id")]).toEqual([400, null]);
});

test("a repeat under the same Idempotency-Key is answered as duplicates and kept once, over restarts too", async () => {
  await using agent = await setup();
  const key = { "idempotency-key": "k1", prefer: "return=representation" };
  const body = `[${eventNumber(1)},${eventNumber(2)}]`;
  const first = await post(agent, body, key);
  await agent.restart();
  // White space and key order are no content.
  const again = await post(agent, body.replaceAll(",", " , "), key);
  expect([again.status, again.body.accepted, again.body.duplicates]).toEqual([200, 0, 2]);
  expect(again.body.results?.map(({ id }) => id)).toEqual(first.body.results?.map(({ id }) => id));
  expect((await post(agent, body, key, "/usage/bulk/other")).body.accepted).toBe(2);
  const { ledger } = await agent.drained();
  expect(ledger.accepted).toBe(4);
  expect(agent.destination.calls.some(({ headers }) => "idempotency-key" in headers)).toBe(false);
});

test("other content under a known key is a conflict: 400 strict, named in a lenient answer", async () => {
  await using agent = await setup();
  const key = { "idempotency-key": "k1" };
  await post(agent, `[${eventNumber(1)},${eventNumber(2)}]`, key);
  const changed = `[${eventNumber(1)},${eventNumber(9)},${eventNumber(3)}]`;
  const strict = await post(agent, changed, key);
  expect([strict.status, strict.body.reasons.map(({ code, index }) => [code, index])]).toEqual([400, [[70000009, 1]]]);
  const lenient = await post(agent, changed, { ...key, ...LENIENT });
  expect(lenient.body).toMatchObject({ accepted: 1, duplicates: 1, conflicts: 1, quarantined: 0 });
  expect(lenient.body.results?.map(({ status }) => status)).toEqual(["duplicate", "conflict", "accepted"]);
  expect(await accepted(agent)).toBe(3);
});

test("an invalid event posted again under its key is a duplicate when lenient, refused when strict", async () => {
  await using agent = await setup();
  const key = { "idempotency-key": "k1" };
  expect((await post(agent, `[${EVENT},${BAD}]`, { ...key, ...LENIENT })).body.quarantined).toBe(1);
  expect((await post(agent, `[${EVENT},${BAD}]`, { ...key, ...LENIENT })).body.duplicates).toBe(2);
  expect((await post(agent, `[${EVENT},${BAD}]`, key)).status).toBe(400);
});

test("a full buffer answers 429 with Retry-After, keeps what it has, and takes again once drained", async () => {
  let down = true;
  await using agent = await setup({
    buffer: 'max_bytes = "3 MB"',
    reply: () => (down ? { status: 500 } : undefined),
  });
  let taken = 0;
  const body = () => `[${events(5000, taken).join(",")}]`;
  let answer = await post(agent, body());
  for (; answer.status === 200; answer = await post(agent, body())) taken += 5000;
  expect([answer.status, Number(answer.headers.get("retry-after")) > 0]).toEqual([429, true]);
  expect((await agent.agent.status()).ledger).toMatchObject({ accepted: taken, pending: taken });
  down = false;
  await agent.drained();
  expect((await post(agent, body())).status).toBe(200);
  expect(taken).toBeGreaterThan(0);
});

test("answers over 1,000 bytes are gzipped when asked for, smaller ones and others never", async () => {
  await using agent = await setup();
  const answer = (count: number, encoding: string) =>
    new Promise<string | undefined>((resolve, reject) => {
      const headers = { "content-type": "application/json", "accept-encoding": encoding, prefer: LENIENT.prefer };
      httpRequest(`${agent.agent.url}${PATH}`, { method: "POST", headers }, (response) => {
        response.resume().on("end", () => resolve(response.headers["content-encoding"]));
      })
        .on("error", reject)
        .end(`[${events(count).join(",")}]`);
    });
  expect(await answer(100, "gzip")).toBe("gzip");
  expect(await answer(1, "gzip")).toBe(undefined);
  expect(await answer(100, "identity")).toBe(undefined);
  expect(await answer(100, "br, gzip;q=0")).toBe(undefined);
});

test("a client that leaves in the middle of its body leaves nothing behind", async () => {
  await using agent = await setup();
  const { port, hostname } = new URL(agent.agent.url);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  socket.write(
    `POST ${PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n[${EVENT}`,
  );
  socket.destroy();
  await once(socket, "close");
  expect((await post(agent, EVENT)).status).toBe(200);
  expect(await accepted(agent)).toBe(1);
});

test("what is no HTTP is answered 400 with a request id", async () => {
  await using agent = await setup();
  const { port, hostname } = new URL(agent.agent.url);
  const socket = connect(Number(port), hostname);
  socket.end("this is no HTTP\r\n\r\n");
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  expect(text).toMatch(/^HTTP\/1\.1 400 /);
  expect(text).toMatch(/x-request-id: reqr_[A-Za-z0-9]{20}/i);
});

test("status and metrics show the ledger of every stream", async () => {
  await using agent = await setup();
  await post(agent, `[${events(3).join(",")}]`);
  await post(agent, EVENT, {}, "/usage/bulk/b");
  await agent.drained();
  const status = (await (await fetch(`${agent.agent.url}/status`)).json()) as Record<string, unknown>;
  const three = { accepted: 3, delivered: 3, pending: 0, quarantined: 0, discarded: 0 };
  expect(status).toMatchObject({
    running: true,
    ledger: { accepted: 4, delivered: 4, pending: 0, quarantined: 0, discarded: 0 },
    buffer: { max_bytes: 2 ** 31, oldest_s: null, hours_left: null },
    destination: { state: "ok", last_error: null, next_attempt_s: null },
  });
  expect(status["streams"]).toContainEqual({ stream: "usage/m", first_sequence: 1, last_sequence: 3, ledger: three });
  const metrics = await (await fetch(`${agent.agent.url}/metrics`)).text();
  expect(metrics).toContain('weir_agent_events_total{state="delivered"} 4');
  expect(metrics).toMatch(/weir_agent_upload_attempts_total\{verdict="delivered"\} [12]\n/);
});

test("requests that come while a commit runs share the next one", async () => {
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  await using agent = await setup({
    async beforeGroup(group) {
      if (!group.some(({ kind }) => kind === "append")) return;
      begun.resolve();
      await gate.promise;
    },
  });
  const arrived = countRequests();
  const first = post(agent, eventNumber(0));
  await begun.promise;
  const others = events(199, 1).map((event) => post(agent, event));
  await until(() => (arrived() === 200 ? true : null), { what: "every request to arrive" });
  gate.resolve();
  const answers = await Promise.all([first, ...others]);
  expect(answers.every(({ status }) => status === 200)).toBe(true);
  const commits = (await agent.metrics()).get("weir_agent_commits_total");
  expect(commits).toBeLessThan(100);
});

/** How many requests this process' servers have begun to read. */
function countRequests(): () => number {
  let count = 0;
  const started = () => count++;
  subscribe("http.server.request.start", started);
  onTestFinished(() => void unsubscribe("http.server.request.start", started));
  return () => count;
}
