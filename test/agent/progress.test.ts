import { expect, test } from "vitest";
import { type ProgressLine, progressText } from "../../agent/commands/progress.ts";
import { prettyLine } from "../../agent/runtime/logger.ts";

const LINE: ProgressLine = {
  ...{ label: "draining", unit: "events", done: 61_234, total: 100_000 },
  ...{ secondsLeft: 95, note: null },
};

test("a line of progress has what there is room for, and never touches the last column", () => {
  expect(progressText(LINE, 120)).toBe("draining ██████████████████░░░░░░░░░░░░ 61% 61,234/100,000 events, 2 min left");
  expect(progressText(LINE, 80)).toBe("draining ██████████████████░░░░░░░░░░░░ 61% 61,234/100,000 events, 2 min left");
  expect(progressText(LINE, 40)).toBe("draining 61% 61,234/100,000 events, 2 …");
  for (let columns = 1; columns < 130; columns++) {
    expect(progressText(LINE, columns).length).toBeLessThan(Math.max(2, columns));
    expect(progressText({ ...LINE, note: "waiting" }, columns).length).toBeLessThan(Math.max(2, columns));
  }
});

test("without anything to judge by no end is guessed at, and while something waits none is named", () => {
  expect(progressText({ ...LINE, secondsLeft: null }, 120)).not.toMatch(/left|Infinity|NaN|NF/);
  const waiting = progressText({ ...LINE, note: "waiting" }, 120);
  expect(waiting.endsWith("61% 61,234/100,000 events, waiting")).toBe(true);
  expect(progressText({ ...LINE, done: 0, total: 0 }, 80)).toContain("100% 0/0 events");
});

test("a log line for people has the time of day, its level, its words and its fields", () => {
  const at = new Date(2026, 10, 21, 9, 5, 7).toISOString();
  const line = (level: number, rest: object) => `${JSON.stringify({ level, time: at, ...rest })}\n`;
  expect(prettyLine(line(30, { url: "http://127.0.0.1:8788", msg: "agent ready" }), false)).toBe(
    "09:05:07 INFO  agent ready url=http://127.0.0.1:8788\n",
  );
  expect(prettyLine(line(40, { reason: "two words", n: 3, list: [1], msg: "waits" }), false)).toBe(
    '09:05:07 WARN  waits reason="two words" n=3 list=[1]\n',
  );
  const err = { type: "Error", message: "no", stack: "Error: no\n    at here" };
  expect(prettyLine(line(60, { err, msg: "the log failed" }), false)).toBe(
    "09:05:07 FATAL the log failed\n  Error: no\n      at here\n",
  );
  expect(prettyLine(line(50, { msg: "m" }), true)).toContain("\u001b[31mERROR\u001b[39m");
});
