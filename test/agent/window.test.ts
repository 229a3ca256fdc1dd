import { expect, test } from "vitest";
import { createWindow, type Place } from "../../agent/upload/window.ts";
import { until } from "../../tools/processes/until.ts";
import { fakeClock } from "./support/fake-clock.ts";
import { logLines } from "./support/log-lines.ts";
import { eventNumber, events, setup } from "./support/setup.ts";

/** A window whose calls begin as soon as they may, and end when they are told to. */
function windowOf(concurrency: number) {
  const clock = fakeClock();
  const stop = new AbortController();
  const settings = { concurrency };
  const window = createWindow(clock, () => settings.concurrency);
  const under: Place[] = [];
  /** Asks for so many calls; resolves once all that may begin have. */
  const ask = async (count: number) => {
    for (let i = 0; i < count; i++) {
      void window.enter(stop.signal).then((place) => {
        if (place !== null) under.push(place);
      });
    }
    await clock.advance(0);
  };
  const end = async (tell: (place: Place) => void, count = 1) => {
    for (const place of under.splice(0, count)) {
      place.leave();
      tell(place);
    }
    await clock.advance(0);
  };
  return { clock, stop, settings, window, under, ask, end };
}

const well = (place: Place) => place.grow();
const overload = (place: Place) => place.shrink();
const noResponse = (place: Place) => place.collapse();

test("no more calls are under way than configured, and the next begins when one ends", async () => {
  const { under, ask, end } = windowOf(4);
  await ask(6);
  expect(under.length).toBe(4);
  await end(well);
  expect(under.length).toBe(4);
  await end(well, 4);
  expect(under.length).toBe(1);
});

test("a round of successes adds one, up to the configured number", async () => {
  const { window, ask, end } = windowOf(4);
  await ask(1);
  await end(noResponse);
  const sizes: number[] = [];
  for (let round = 0; round < 5; round++) {
    sizes.push(window.size);
    const calls = window.size;
    await ask(calls);
    await end(well, calls);
  }
  expect(sizes).toEqual([1, 2, 3, 4, 4]);
});

test("overload halves once a round, however many of its calls report it, and never below one", async () => {
  const { window, ask, end } = windowOf(16);
  const sizes: number[] = [];
  for (let round = 0; round < 6; round++) {
    const calls = window.size;
    await ask(calls);
    await end(overload, calls);
    sizes.push(window.size);
  }
  expect(sizes).toEqual([8, 4, 2, 1, 1, 1]);
});

test("no answer at all begins anew with one, whatever the calls beside it say of overload", async () => {
  const { window, ask, end } = windowOf(8);
  await ask(8);
  await end(noResponse);
  expect(window.size).toBe(1);
  await end(overload, 6);
  expect(window.size).toBe(1);
  await end(well);
  expect(window.size).toBe(2);
});

test("a smaller number takes hold while calls are under way, a larger one at once", async () => {
  const { window, settings, under, ask, end } = windowOf(6);
  await ask(10);
  expect(under.length).toBe(6);
  settings.concurrency = 2;
  expect(window.size).toBe(2);
  await end(well, 4);
  expect(under.length).toBe(2);
  await end(well);
  expect(under.length).toBe(2);
  settings.concurrency = 6;
  await end(well, 2);
  expect(under.length).toBeGreaterThan(0);
  expect(window.size).toBeGreaterThan(2);
});

test("whoever waits for a place is let go when the agent stops", async () => {
  const { clock, stop, window } = windowOf(1);
  await window.enter(stop.signal);
  const waiting = window.enter(stop.signal);
  stop.abort();
  await clock.advance(0);
  expect(await waiting).toBeNull();
  expect(await window.enter(stop.signal)).toBeNull();
});

test("an overloaded destination is given fewer calls at once, and more again when it has recovered", async () => {
  const MOST = 8;
  let limit = 2;
  let now = 0;
  let most = 0;
  let overloads = 0;
  const refused = { status: 429, headers: { "retry-after": "0" } };
  await using agent = await setup({
    upload: `linger_ms = 0\nbatch_events = 1\nconcurrency = ${MOST}\nbackoff_base_ms = 1\nbackoff_max_ms = 5`,
    reply: async () => {
      now++;
      most = Math.max(most, now);
      const over = now > limit;
      if (over) overloads++;
      // Long enough under way for the calls beside it to come.
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      now--;
      return over ? refused : undefined;
    },
  });
  await agent.post("/usage/bulk/m", `[${events(300).join(",")}]`);
  const windowSize = async () => (await agent.metrics()).get("weir_agent_upload_window") ?? Number.NaN;
  await until(async () => overloads > 0 && (await windowSize()) <= MOST / 2, { what: "the window to fall" });
  limit = MOST;
  most = 0;
  await agent.post("/usage/bulk/m", `[${events(300, 300).join(",")}]`);
  await agent.drained();
  expect(most).toBeGreaterThan(2);
  expect(most).toBeLessThanOrEqual(MOST);
  expect(agent.destination.taken.size).toBe(600);
});

test("after an outage the backlog begins with one call at a time and gathers pace", async () => {
  let down = true;
  const atOnce: number[] = [];
  let now = 0;
  await using agent = await setup({
    upload: "linger_ms = 0\nbatch_events = 2\nconcurrency = 6\nbackoff_base_ms = 1\nbackoff_max_ms = 20",
    reply: async () => {
      if (down) return "cut";
      atOnce.push(++now);
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      now--;
      return undefined;
    },
  });
  await agent.post("/usage/bulk/m", `[${Array.from({ length: 120 }, (_, n) => eventNumber(n)).join(",")}]`);
  await agent.reach("an outage", (status) => status.destination.state === "unreachable");
  expect((await agent.metrics()).get("weir_agent_upload_window")).toBe(1);
  down = false;
  await agent.drained();
  // One more at a time: a flood would come six at a time.
  expect(atOnce.slice(0, 3).every((calls, index) => calls <= index + 1)).toBe(true);
  expect(Math.max(...atOnce)).toBeGreaterThan(1);
  expect(Math.max(...atOnce)).toBeLessThanOrEqual(6);
  expect(agent.destination.taken.size).toBe(120);
});

test("a lower concurrency read again holds at once; the calls it cut are repeated without a wait and are no outage", async () => {
  const { logger, lines } = logLines();
  let hang = true;
  let now = 0;
  let most = 0;
  await using agent = await setup({
    logger,
    // A single backoff would take an hour.
    upload: "linger_ms = 0\nbatch_events = 1\nconcurrency = 6\nbackoff_base_ms = 3600000\nbackoff_max_ms = 3600000",
    reply: async () => {
      if (hang) return "hang";
      most = Math.max(most, ++now);
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      now--;
      return undefined;
    },
  });
  await agent.post("/usage/bulk/m", `[${events(60).join(",")}]`);
  await until(() => agent.destination.calls.length === 6, { what: "six calls at once" });
  hang = false;
  agent.reconfigure((text) => text.replace("concurrency = 6", "concurrency = 2"));
  expect((await agent.drained()).destination.state).toBe("ok");
  expect(most).toBe(2);
  expect(agent.destination.taken.size).toBe(60);
  expect(lines.filter(({ msg }) => msg.startsWith("uploads"))).toEqual([]);
});

test("a probe under way as the configuration is read again does not put off the next one", async () => {
  let calls = 0;
  await using agent = await setup({
    upload: "linger_ms = 0\nbackoff_base_ms = 1\nbackoff_max_ms = 3600000",
    reply: () => {
      calls++;
      if (calls === 1) return { status: 401 };
      return calls === 2 ? "hang" : undefined;
    },
  });
  await agent.post("/usage/bulk/m", events(1)[0] ?? "");
  await agent.reach("a pause", ({ destination }) => destination.state === "paused");
  agent.reconfigure((text) => text);
  await until(() => calls === 2, { what: "the probe" });
  agent.reconfigure((text) => text);
  expect((await agent.drained()).ledger.delivered).toBe(1);
});
