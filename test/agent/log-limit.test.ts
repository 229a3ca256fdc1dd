import { expect, test } from "vitest";
import { createLogLimit } from "../../agent/runtime/log-limit.ts";
import { until } from "../../tools/processes/until.ts";
import { cli } from "./support/cli.ts";
import { fakeClock } from "./support/fake-clock.ts";
import { type LogLine, logLines } from "./support/log-lines.ts";

function setup() {
  const clock = fakeClock();
  const limit = createLogLimit(clock);
  return { clock, limit, ...logLines(limit.hooks) };
}

/** Lines and what they stand for: each line is one, and those it says were left out. */
const told = (lines: readonly LogLine[]) => lines.reduce((sum, line) => sum + 1 + (line.suppressed ?? 0), 0);

test("a message that comes a thousand times a second for an hour is a few lines a minute, none uncounted", async () => {
  const { clock, limit, lines, logger } = setup();
  const SECONDS = 3600;
  for (let second = 0; second < SECONDS; second++) {
    for (let n = 0; n < 1000; n++) logger.warn({ n }, "a request failed");
    await clock.advance(1000);
  }
  limit.end();
  expect(lines.length).toBeLessThanOrEqual(3 + SECONDS / 10 + 1);
  expect(lines.length).toBeGreaterThan(SECONDS / 10 - 2);
  expect(told(lines)).toBe(SECONDS * 1000);
  expect(limit.suppressed).toBe(SECONDS * 1000 - lines.length);
});

test("the first of a burst go out as they are, the last of it with the count, and then nothing is owed", async () => {
  const { clock, lines, logger } = setup();
  for (let n = 0; n < 10; n++) logger.error({ n }, "no");
  expect(lines.map(({ n }) => n)).toEqual([0, 1, 2]);
  await clock.advance(10_000);
  expect(lines.at(-1)).toMatchObject({ n: 9, msg: "no", level: 50, suppressed: 6 });
  await clock.advance(60_000);
  expect(lines.length).toBe(4);
  expect(clock.sleepers).toBe(0);
  logger.error({ n: 10 }, "no");
  expect(lines.at(-1)).toMatchObject({ n: 10 });
  expect(lines.at(-1)).not.toHaveProperty("suppressed");
});

test("one trouble never hides another: words, level, stream, path and setting keep them apart", () => {
  const { lines, logger } = setup();
  for (let n = 0; n < 50; n++) logger.warn("first");
  for (const stream of ["a", "b", "c", "d"]) logger.warn({ stream }, "second");
  for (const path of ["a", "b", "c", "d"]) logger.warn({ path }, "second");
  logger.error("first");
  logger.warn("third");
  expect(lines.filter(({ msg }) => msg === "second").length).toBe(8);
  expect(lines.slice(-2).map(({ level, msg }) => [level, msg])).toEqual([
    [50, "first"],
    [40, "third"],
  ]);
});

test("fatal is never held back", () => {
  const { lines, logger } = setup();
  for (let n = 0; n < 50; n++) logger.fatal({ n }, "the log failed");
  expect(lines.length).toBe(50);
});

test("an error keeps its words and its stack, held back or not", async () => {
  const { clock, lines, logger } = setup();
  for (let n = 0; n < 5; n++) logger.error(new Error(`number ${n}`), "failed");
  for (let n = 0; n < 5; n++) logger.error({ err: new Error(`number ${n}`) }, "wrapped");
  await clock.advance(10_000);
  const last = (msg: string) =>
    lines.findLast((line) => line.msg === msg)?.["err"] as { message: string; stack: string };
  for (const msg of ["failed", "wrapped"]) {
    expect(last(msg).message).toBe("number 4");
    expect(last(msg).stack).toContain("log-limit.test.ts");
  }
});

test("at the end nothing is left untold, and no timer holds the process", async () => {
  const { clock, limit, lines, logger } = setup();
  for (let n = 0; n < 10; n++) logger.warn({ n }, "no");
  limit.end();
  await clock.advance(0);
  expect(told(lines)).toBe(10);
  expect(clock.sleepers).toBe(0);
  logger.warn({ n: 10 }, "no");
  expect(lines.at(-1)).toMatchObject({ n: 10 });
});

test("more messages than are remembered are printed rather than lost", () => {
  const { lines, logger } = setup();
  for (let n = 0; n < 3000; n++) logger.warn({ stream: `usage/${n}` }, "stream paused");
  expect(lines.length).toBe(3000);
});

test("a running agent holds back its own repeats, counts them in its metrics, and leaves none unreported", async () => {
  await using agent = cli("http://127.0.0.1:1");
  const running = agent.run();
  const url = await running.ready;
  agent.configure("nonsense");
  const suppressed = async () => {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    return Number(/^weir_agent_log_lines_suppressed_total (\d+)$/m.exec(metrics)?.[1]);
  };
  await until(
    async () => {
      process.kill(running.pid, "SIGHUP");
      return (await suppressed()) >= 5;
    },
    { what: "lines held back", everyMs: 5 },
  );
  const heldBack = await suppressed();
  expect(await running.kill("SIGTERM")).toEqual({ code: 0, signal: null });
  const lines = running
    .stderr()
    .split("\n")
    .filter((text) => text.includes("the configuration stays as it was"));
  const counted = lines.map((text) => JSON.parse(text) as LogLine);
  expect(counted.length).toBeLessThanOrEqual(5);
  expect(told(counted)).toBeGreaterThanOrEqual(3 + heldBack);
});
