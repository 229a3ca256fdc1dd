/** The agent asks the edge how delivery stands: seldom, whatever the answer, and says so where people look. */
import { pino } from "pino";
import { expect, test } from "vitest";
import { startDeliveryWatch } from "../../agent/operator/delivery-watch.ts";
import type { ExchangeResult, Transport } from "../../agent/upload/transport.ts";
import { fakeClock } from "./support/fake-clock.ts";
import { logLines } from "./support/log-lines.ts";
import { EVENT, setup } from "./support/setup.ts";

const WAITS = {
  ...{ stream: "usage/m", pending: 7, oldest_pending_at: "2026-11-01T10:05:03Z", lanes_waiting: 1 },
  ...{ state: "waiting", since: "2026-11-01T10:05:04Z", why: ["credentials refused (answered 401)"] },
};
const WELL = { ...WAITS, stream: "usage/n", pending: 2, state: "ok", since: null, why: [] };

function answered(status: number, body: string): ExchangeResult {
  return { kind: "answer", status, retryAfter: null, etag: null, dateMs: null, repeated: false, body };
}

function watched() {
  const clock = fakeClock();
  const paths: string[] = [];
  const { logger, lines } = logLines();
  const edge = { result: answered(200, JSON.stringify({ items: [WAITS, WELL] })) };
  const transport: Transport = {
    async send({ path }) {
      paths.push(path);
      return edge.result;
    },
    pass: () => Promise.reject(new Error("nothing is passed on here")),
    close: () => Promise.resolve(),
  };
  const watch = startDeliveryWatch({ producer: "p.x", transport: () => transport, clock, random: () => 0.5, logger });
  return { watch, clock, paths, lines, edge };
}

test("the edge is asked soon after the start, then once a minute; its answer is kept until it answers no more", async () => {
  const { watch, clock, paths, edge } = watched();
  expect(watch.delivery()).toBeNull();
  await clock.advance(5_000);
  expect(paths).toEqual(["/delivery?producer=p.x"]);
  const { stream, pending, state, since, why } = WAITS;
  expect(watch.delivery()).toEqual({ asked_s: 0, pending: 9, waiting: [{ stream, pending, state, since, why }] });
  edge.result = { kind: "no-response", reason: "network", message: "gone" };
  for (let minute = 1; minute <= 10; minute++) await clock.advance(60_000);
  expect(paths).toHaveLength(11);
  expect(watch.delivery()).toMatchObject({ asked_s: 600, pending: 9 });
  await clock.advance(1);
  expect(watch.delivery()).toBeNull();
  await watch.stop();
  expect(clock.sleepers).toBe(0);
});

test("one line says that events wait there, one that they do no more", async () => {
  const { watch, clock, lines, edge } = watched();
  for (let minute = 0; minute < 5; minute++) await clock.advance(60_000);
  edge.result = answered(200, JSON.stringify({ items: [WELL] }));
  for (let minute = 0; minute < 5; minute++) await clock.advance(60_000);
  expect(lines.map(({ msg, stream, why }) => [msg, stream, why])).toEqual([
    ["events wait at the edge, delivered to it but not beyond", "usage/m", WAITS.why],
    ["the edge delivers again what it accepted", undefined, undefined],
  ]);
  await watch.stop();
});

test.each([
  ["an edge that has no such route", 404, "{}"],
  ["a page", 200, "<html>"],
  ["another shape", 200, '{"items":[{"stream":1}]}'],
])("%s leaves it unknown", async (_, status, body) => {
  const { watch, clock, edge } = watched();
  edge.result = answered(status, body);
  await clock.advance(5_000);
  expect(watch.delivery()).toBeNull();
  await watch.stop();
});

test("status and metrics show it, at once after SIGHUP has the configuration read again", async () => {
  await using agent = await setup({ logger: pino({ level: "silent" }) });
  agent.destination.delivery = { items: [WAITS] };
  await agent.post("/meters/streaming/ingestion/m", EVENT);
  agent.agent.reload();
  const status = await agent.reach("the edge's answer", ({ delivery }) => delivery !== null);
  expect(status.delivery).toMatchObject({ pending: 7, waiting: [{ stream: "usage/m", why: WAITS.why }] });
  const metrics = await agent.metrics();
  expect(metrics.get("weir_agent_edge_pending")).toBe(7);
  expect(metrics.get('weir_agent_edge_waiting{stream="usage/m",state="waiting"}')).toBe(1);
});
