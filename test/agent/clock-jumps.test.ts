/** The time of day is wrong at many a device's start, and jumps once the network tells the right one. */
import { expect, onTestFinished, test } from "vitest";
import { NO_SCOPE } from "../../agent/buffer/tables/scope.ts";
import { parseConfig } from "../../agent/config/config.ts";
import { startCore } from "../../agent/core.ts";
import type { Clock } from "../../agent/runtime/clock.ts";
import { systemClock } from "../../agent/runtime/clock.ts";
import { createTransport } from "../../agent/upload/transport.ts";
import { createVendorDialect } from "../../agent/upload/vendor-dialect.ts";
import { zuora } from "../../shared/vendors/zuora.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { until } from "../../tools/processes/until.ts";
import { openDestination } from "./support/destination.ts";
import { fakeClock } from "./support/fake-clock.ts";
import { logLines } from "./support/log-lines.ts";
import { EVENT, eventNumber, setup } from "./support/setup.ts";

const YEAR_MS = 365 * 86_400_000;

/** Real time, but for a time of day that is set by hand. */
function jumpingClock(): Clock & { set(ms: number): void } {
  let ahead = 0;
  return {
    ...systemClock,
    now: () => Date.now() + ahead,
    set(ms) {
      ahead = ms - Date.now();
    },
  };
}

const KEYED = { "idempotency-key": "k" };

test.each([
  ["forward by a year", () => Date.now() + YEAR_MS],
  ["back by a year", () => Date.now() - YEAR_MS],
])("a jump %s under a running agent forgets no key, sends nothing twice and holds nothing up", async (_, to) => {
  const clock = jumpingClock();
  await using agent = await setup({ clock });
  await agent.post("/usage/bulk/m", EVENT, KEYED);
  clock.set(to());
  expect(await (await agent.post("/usage/bulk/m", EVENT, KEYED)).json()).toMatchObject({ accepted: 0, duplicates: 1 });
  await agent.post("/usage/bulk/m", eventNumber(2));
  const status = await agent.drained();
  expect(status.ledger).toMatchObject({ accepted: 2, delivered: 2 });
  expect(agent.destination.taken.size).toBe(2);
});

test("the age of what waits is never negative, however far the clock went back", async () => {
  const clock = jumpingClock();
  await using agent = await setup({ clock, reply: () => ({ status: 500 }) });
  await agent.post("/usage/bulk/m", EVENT);
  clock.set(Date.now() - YEAR_MS);
  expect((await agent.agent.status()).buffer.oldest_s).toBe(0);
});

test("a clock that starts in 1970 and is set right ages no key and no delivered batch, in this run or the next", async () => {
  const directory = tempDir("weir-clock");
  const destination = await openDestination();
  onTestFinished(async () => {
    await destination.close();
    directory.remove();
  });
  const config = parseConfig(
    `[buffer]\npath = "buffer"\n[destination]\nurl = "${destination.url}"\napi_key_env = "KEY"\n[upload]\nlinger_ms = 0`,
    `${directory.path}/weir-agent.toml`,
    {},
  );
  const clock = jumpingClock();
  const faults: unknown[] = [];
  const start = () =>
    startCore({
      ...{ config, clock, env: { KEY: "k" }, random: Math.random, logger: logLines().logger },
      onFatal: (error) => faults.push(error),
    });
  const events = { body: Buffer.from(EVENT), ends: Uint32Array.of(Buffer.byteLength(EVENT)) };
  const idempotency = { key: "k", hashes: new Uint8Array(16), ownIds: new Uint8Array(1) };
  const appendTo = (core: Awaited<ReturnType<typeof start>>) =>
    core.log.append({
      ...{ stream: "usage/m", scope: NO_SCOPE, strict: true },
      ...{ receivedAt: clock.now(), events: structuredClone(events), idempotency: structuredClone(idempotency) },
    });
  const isKnown = async (core: Awaited<ReturnType<typeof start>>) => {
    const outcome = await appendTo(core);
    return outcome.kind === "durable" && outcome.known.indexes.length === 1;
  };

  clock.set(1000);
  let core = await start();
  await appendTo(core);
  await until(() => core.log.ledger().delivered === 1, { what: "the delivery" });
  clock.set(Date.UTC(2026, 10, 21));
  await core.tidy();
  expect(await isKnown(core)).toBe(true);
  await core.stop();
  clock.set(2000);
  core = await start();
  await core.tidy();
  clock.set(Date.UTC(2026, 10, 21));
  await core.tidy();
  expect(await isKnown(core)).toBe(true);
  expect(await core.log.resend({ stream: "usage/m", first: 1, last: 1 })).toEqual({ kind: "resent", count: 1 });
  await core.stop();
  expect(faults).toEqual([]);
});

test.each([
  ["years behind", -3 * YEAR_MS],
  ["years ahead", 3 * YEAR_MS],
])("a Retry-After that is a date is read by the server's own clock, so that ours may be %s", async (_, wrong) => {
  const clock = jumpingClock();
  clock.set(Date.now() + wrong);
  const calls: number[] = [];
  await using agent = await setup({
    clock,
    reply: () => {
      calls.push(performance.now());
      // Whole seconds, as headers have them: two seconds of the server's clock.
      const now = Math.floor(Date.now() / 1000) * 1000;
      const headers = { date: new Date(now).toUTCString(), "retry-after": new Date(now + 2000).toUTCString() };
      return calls.length === 1 ? { status: 503, headers } : undefined;
    },
  });
  await agent.post("/usage/bulk/m", EVENT);
  await agent.drained();
  expect(calls.length).toBe(2);
  expect((calls[1] ?? 0) - (calls[0] ?? 0)).toBeGreaterThanOrEqual(1999);
});

test("a Retry-After whose date has passed is no wait at all", async () => {
  await using agent = await setup({
    reply: (_, index) =>
      index === 0 ? { status: 503, headers: { "retry-after": "Sun, 06 Nov 1994 08:49:37 GMT" } } : undefined,
  });
  await agent.post("/usage/bulk/m", EVENT);
  expect((await agent.drained()).ledger.delivered).toBe(1);
});

test("a token is kept for as long as it lasts and no longer, whatever the time of day does", async () => {
  const clock = fakeClock();
  const destination = await openDestination();
  let fetched = 0;
  destination.reply = ({ path }) => ({
    ...{ status: 200, body: path === "/oauth/token" ? { access_token: `token-${++fetched}`, expires_in: 3600 } : {} },
  });
  const transport = createTransport({
    ...{ url: destination.url, headers: {}, timeoutMs: 60_000, connections: 1, answerBytesMax: 1_000_000, env: {} },
  });
  onTestFinished(async () => {
    await transport.close();
    await destination.close();
  });
  const dialect = createVendorDialect({ vendor: zuora, transport, client: { id: "i", secret: "s" }, clock });
  /** The token that a call carries. */
  const current = async () => {
    const call = { method: "POST", path: "/", headers: {}, body: Buffer.from("[{}]") } as const;
    await dialect.send(call, new AbortController().signal);
    return destination.calls.at(-1)?.headers.authorization;
  };
  expect(await current()).toBe("Bearer token-1");
  clock.jump(YEAR_MS);
  expect(await current()).toBe("Bearer token-1");
  clock.jump(-2 * YEAR_MS);
  await clock.advance(3539_000);
  expect(await current()).toBe("Bearer token-1");
  // A minute before its end another is fetched, so that none ends on the way.
  await clock.advance(1000);
  expect(await current()).toBe("Bearer token-2");
});
