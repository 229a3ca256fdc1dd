import { readdirSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { until } from "../../tools/processes/until.ts";
import { type ReceivedCall, takeAll } from "./support/destination.ts";
import { fakeClock } from "./support/fake-clock.ts";
import { EVENT, eventNumber, events, type Setup, setup } from "./support/setup.ts";

const PATH = "/meters/streaming/ingestion/m";

async function post(agent: Setup, texts: readonly string[], path = PATH, headers: Record<string, string> = {}) {
  const response = await agent.post(path, `[${texts.join(",")}]`, headers);
  expect(response.status).toBe(200);
}

const texts = (agent: Setup) => [...agent.destination.taken.values()].sort();
const refused = (status: number, message: string) => ({ status, body: { success: false, message, reasons: [] } });

/** What the buffer holds back; read after the agent has let go of it. */
async function quarantined(
  agent: Setup,
): Promise<{ position: number; event: string; reason: { status: number; message: string } }[]> {
  await agent.agent.stop();
  const db = new DatabaseSync(`${agent.directory}/buffer/buffer.db`);
  const rows = db
    .prepare("SELECT position, CAST(event AS TEXT) AS event, reason FROM quarantine ORDER BY position")
    .all();
  db.close();
  return rows.map((row) => ({
    position: Number(row["position"]),
    event: String(row["event"]),
    reason: JSON.parse(String(row["reason"])),
  }));
}

test("events arrive byte for byte: inner white space, key order, escapes and digits", async () => {
  await using agent = await setup();
  const odd = [
    '{ "Quantity" : 0.1234567890123456789,\t"CustomerId":"\\u00e9\\/\\n", "UsageIdentifier":"\u00e9\u{1f600}","UsageDate":"2026-01-02T03:04:05+01:00"}',
    '{"CustomerId":"c","UsageIdentifier":"u","UsageDate":"2026-01-02T03:04:05Z","Quantity":12345678901234567890,"more":[ 1.0 , 1e2, {} ]}',
  ];
  await post(agent, odd);
  await agent.drained();
  expect([...agent.destination.taken.values()]).toEqual(odd);
});

test("a call carries the key, the producer's position, the preference and gzipped JSON", async () => {
  await using agent = await setup();
  await post(agent, events(3), PATH, { "zuora-entity-ids": "e1", "zuora-org-ids": "o1,o2" });
  const { producer } = await agent.drained();
  expect(agent.destination.calls[0]?.headers).toMatchObject({
    "x-api-key": "test-key",
    "weir-producer": producer,
    "weir-sequence": "1",
    prefer: "handling=lenient, return=representation",
    "content-type": "application/json",
    "content-encoding": "gzip",
    "zuora-entity-ids": "e1",
    "zuora-org-ids": "o1,o2",
  });
});

test("small requests are packed into few calls, never mixing scopes", async () => {
  await using agent = await setup({ upload: "linger_ms = 150" });
  const scopes = ["e1", "e1", "e1", "e2", "e2", "e1"];
  for (const [n, entity] of scopes.entries()) {
    await post(agent, [eventNumber(n)], PATH, { "zuora-entity-ids": entity });
  }
  await agent.drained();
  const calls = agent.destination.calls.map(({ headers, events: sent }) => [headers["zuora-entity-ids"], sent.length]);
  expect(calls.toSorted()).toEqual([
    ["e1", 1],
    ["e1", 3],
    ["e2", 2],
  ]);
});

test("a lost answer leads to a repeat with the same events at the same position, counted once", async () => {
  await using agent = await setup({ reply: (_, index) => (index < 2 ? "take-and-cut" : undefined) });
  await post(agent, events(10));
  await agent.drained();
  const { calls, taken, disagreements } = agent.destination;
  expect(calls.length).toBe(3);
  expect(new Set(calls.map((call) => `${call.first} ${call.body}`)).size).toBe(1);
  expect(taken.size).toBe(10);
  expect(disagreements).toEqual([]);
});

test("passing trouble is tried again until it has passed: 408, 500, 503, 507 and a wrong count", async () => {
  const replies = [
    { status: 408 },
    { status: 500 },
    { status: 503 },
    { status: 507 },
    { status: 302 },
    { status: 200, body: { success: true, accepted: 2 } },
    { status: 200, body: "<html>a proxy's page</html>" },
  ];
  await using agent = await setup({ reply: (_, index) => replies[index] });
  await post(agent, events(3));
  const status = await agent.drained();
  expect(agent.destination.calls.length).toBe(replies.length + 1);
  expect(status.ledger).toMatchObject({ delivered: 3, quarantined: 0 });
});

test("an answer that does not come within timeout_ms is given up, and the call repeated", async () => {
  await using agent = await setup({
    upload: "linger_ms = 0\ntimeout_ms = 100\nbackoff_base_ms = 1\nbackoff_max_ms = 5",
    reply: (_, index) => (index === 0 ? "hang" : undefined),
  });
  await post(agent, events(3));
  await agent.drained();
  expect(agent.destination.calls.length).toBe(2);
});

test("413 is halved until it fits, and the size that fitted is kept for what follows", async () => {
  const reply = (call: ReceivedCall) => (call.events.length > 30 ? refused(413, "too large") : undefined);
  await using agent = await setup({ upload: "linger_ms = 50\nconcurrency = 1", reply });
  await post(agent, events(100));
  await agent.drained();
  expect(texts(agent)).toEqual(events(100).sort());
  const before = agent.destination.calls.length;
  await post(agent, events(100, 100));
  await agent.drained();
  const later = agent.destination.calls.slice(before);
  expect(later.filter((call) => call.events.length > 30)).toEqual([]);
  expect(Math.max(...later.map((call) => call.events.length))).toBeGreaterThanOrEqual(20);
});

test("a single event that is too large goes to quarantine, everything else is delivered", async () => {
  const reply = (call: ReceivedCall) => (call.body.includes('"c7"') ? refused(413, "too large") : undefined);
  await using agent = await setup({ reply });
  await post(agent, events(20));
  expect((await agent.drained()).ledger).toMatchObject({ accepted: 20, delivered: 19, quarantined: 1 });
  expect(await quarantined(agent)).toEqual([
    { position: 8, event: eventNumber(7), reason: { status: 413, message: "too large" } },
  ]);
});

test.each([400, 409, 422])("%i is halved down to the rejected events; the rest is delivered", async (status) => {
  const rejected = /"c(3|11)"/;
  const reply = (call: ReceivedCall) =>
    rejected.test(call.body)
      ? { status, body: { success: false, message: "m", reasons: [{ code: 70000000, message: "bad", field: "F" }] } }
      : undefined;
  await using agent = await setup({ reply });
  await post(agent, events(16));
  expect((await agent.drained()).ledger).toMatchObject({ delivered: 14, quarantined: 2 });
  expect(texts(agent)).toEqual(
    events(16)
      .filter((event) => !rejected.test(event))
      .sort(),
  );
  const reason = { status, code: 70000000, message: "bad", field: "F" };
  expect(await quarantined(agent)).toEqual([
    { position: 4, event: eventNumber(3), reason },
    { position: 12, event: eventNumber(11), reason },
  ]);
});

test("what the edge names a conflict goes to the agent's own quarantine", async () => {
  const reply = (call: ReceivedCall) => {
    const results = call.events.map((_, index) => ({
      index,
      id: `${index}`,
      status: index === 1 ? "conflict" : index === 2 ? "quarantined" : "accepted",
      ...(index === 1 ? { reasons: [{ code: 70000009, message: "taken", index }] } : {}),
    }));
    return { status: 200, body: { success: true, accepted: 1, conflicts: 1, quarantined: 1, results } };
  };
  await using agent = await setup({ upload: "linger_ms = 0", reply });
  await post(agent, events(3));
  expect((await agent.drained()).ledger).toMatchObject({ delivered: 2, quarantined: 1 });
  expect(await quarantined(agent)).toMatchObject([{ position: 2, reason: { code: 70000009, message: "taken" } }]);
});

test("after a 429 nothing goes out on any stream before Retry-After, nor much later", async () => {
  const clock = fakeClock();
  const times: number[] = [];
  await using agent = await setup({
    clock,
    reply: (_, index) => {
      times.push(clock.tick());
      return index === 0 ? { status: 429, headers: { "retry-after": "1" } } : undefined;
    },
  });
  await post(agent, [EVENT]);
  await until(() => times.length === 1, { what: "the first call" });
  await post(agent, [EVENT], "/usage/bulk/other");
  expect((await agent.reach("backing off", (s) => s.destination.state !== "ok")).destination).toMatchObject({
    state: "backing_off",
    last_error: "answered 429",
  });
  await clock.advance(999);
  expect((await agent.agent.status()).ledger.pending).toBe(2);
  // All of the two seconds that it may be late by; from here on the clock stands still again.
  await clock.advance(2001);
  await agent.drained();
  expect(times).toEqual([0, 3000, 3000]);
});

test("401 pauses every stream with one probe at a time, events are still accepted", async () => {
  let open = false;
  await using agent = await setup({
    upload: "linger_ms = 0\nbackoff_base_ms = 1\nbackoff_max_ms = 150",
    reply: () => (open ? undefined : { status: 401 }),
  });
  await post(agent, events(3));
  const paused = await agent.reach("a pause", (s) => s.destination.state === "paused");
  expect(paused.destination.last_error).toBe("answered 401");
  const before = agent.destination.calls.length;
  for (const path of [PATH, "/usage/bulk/b", "/usage/bulk/c", "/usage/bulk/d"]) await post(agent, [EVENT], path);
  expect((await agent.agent.status()).ledger).toMatchObject({ accepted: 7, pending: 7, quarantined: 0 });
  await until(() => agent.destination.calls.length >= before + 2, { what: "two probes" });
  open = true;
  expect((await agent.drained()).ledger).toMatchObject({ delivered: 7 });
  expect((await agent.agent.status()).destination.state).toBe("ok");
});

test.each([403, 404, 431])(
  "%i pauses that stream alone, and it goes on once the destination knows it",
  async (status) => {
    let known = false;
    await using agent = await setup({
      upload: "linger_ms = 0\nbackoff_base_ms = 1\nbackoff_max_ms = 50",
      reply: (call) => (call.stream === "usage/m" && !known ? { status } : undefined),
    });
    await post(agent, events(3));
    await agent.reach("a pause", (s) => s.destination.state === "paused");
    await post(agent, events(2), "/usage/bulk/other");
    const now = await agent.reach("the other stream", (s) => s.ledger.delivered === 2);
    expect(now.streams.find(({ stream }) => stream === "usage/m")?.ledger).toMatchObject({
      pending: 3,
      quarantined: 0,
    });
    known = true;
    expect((await agent.drained()).ledger).toMatchObject({ delivered: 5 });
  },
);

test("an unreachable destination is waited for, and what was kept arrives once it is back", async () => {
  let down = true;
  await using agent = await setup({ reply: () => (down ? "cut" : undefined) });
  await post(agent, events(50));
  expect((await agent.reach("unreachable", (s) => s.destination.state === "unreachable")).ledger.pending).toBe(50);
  down = false;
  await agent.drained();
  expect(agent.destination.taken.size).toBe(50);
});

test("several shipments of one stream are on their way at once, covering every position once", async () => {
  let most = 0;
  let now = 0;
  await using agent = await setup({
    upload: "linger_ms = 0\nbatch_events = 10\nconcurrency = 4",
    reply: async () => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setImmediate(resolve));
      await until(() => most > 1, { what: "another call beside it" });
      now--;
      return undefined;
    },
  });
  await post(agent, events(100));
  await agent.drained();
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(4);
  expect(agent.destination.calls.length).toBe(10);
  expect(agent.destination.taken.size).toBe(100);
});

test("a restart between sending and marking repeats the same positions, and they fold to one", async () => {
  let hang = true;
  await using agent = await setup({
    reply: (call) => {
      if (!hang) return undefined;
      takeAll(call, agent.destination);
      return "hang";
    },
  });
  await post(agent, events(10));
  await until(() => agent.destination.taken.size === 10, { what: "the first call" });
  await agent.restart();
  hang = false;
  expect((await agent.drained()).ledger).toMatchObject({ accepted: 10, delivered: 10 });
  expect(agent.destination.taken.size).toBe(10);
  expect(agent.destination.disagreements).toEqual([]);
});

test("a drained buffer leaves no files but its own", async () => {
  await using agent = await setup();
  await post(agent, events(10));
  await agent.drained();
  await agent.agent.stop();
  expect(readdirSync(`${agent.directory}/buffer`)).toEqual(["buffer.db", "commits", "lock", "name", "reserve"]);
});

test("a buffer that ran empty gives its space back to the disk", async () => {
  let down = true;
  await using agent = await setup({ reply: () => (down ? { status: 500 } : undefined) });
  for (let i = 0; i < 20; i++) await post(agent, events(10_000, 10_000 * i));
  const size = () => statSync(`${agent.directory}/buffer/buffer.db`).size;
  await until(() => size() > 12_000_000, { what: "the file to grow" });
  down = false;
  await agent.drained();
  await until(() => size() < 6_000_000, { what: "the file to shrink" });
});

test("an event that the destination cannot make up its mind about holds up no later one of its stream", async () => {
  const stuck = (call: ReceivedCall) => call.body.includes('"c15"');
  const reply = (call: ReceivedCall) => {
    if (!stuck(call)) return undefined;
    return call.events.length > 1 ? refused(400, "bad") : { status: 500 };
  };
  await using agent = await setup({ upload: "linger_ms = 0\nbackoff_base_ms = 1\nbackoff_max_ms = 20", reply });
  await post(agent, events(16));
  await agent.reach("all but one", (status) => status.ledger.delivered === 15);
  await post(agent, events(5, 100));
  expect((await agent.reach("the later ones", (s) => s.ledger.delivered === 20)).ledger.pending).toBe(1);
});
