/** Refused events are told of: how many and why, never what was in them, and in few lines. */
import { expect, test } from "vitest";
import { validationError } from "../../shared/events/validation-error.ts";
import { createRefusalLog, type RefusalLine } from "../../shared/intake/refusal-log.ts";
import { reasonOf, refusedIn } from "../../shared/intake/refused-events.ts";

const PREFERENCES = { lenient: true, representation: false };

function refusal(quarantined: number) {
  return { refused: 0, conflicts: 0, quarantined, first: { why: "not valid" } };
}

function openLog() {
  const lines: RefusalLine[] = [];
  let now = 0;
  const log = createRefusalLog(
    (line) => lines.push(line),
    () => now,
  );
  return { log, lines, pass: (ms: number) => (now += ms) };
}

test("the first refusal of a stream is logged at once, a thousand more within its minute in one line with their sum", () => {
  const { log, lines, pass } = openLog();
  for (let i = 0; i <= 1000; i++) log.note({ stream: "usage/m" }, refusal(2));
  log.flush();
  expect(lines).toEqual([{ stream: "usage/m", requests: 1, ...refusal(2) }]);
  pass(60_000);
  log.flush();
  expect(lines.slice(1)).toEqual([{ stream: "usage/m", requests: 1000, ...refusal(2000) }]);
  log.note({ stream: "usage/m" }, refusal(3));
  expect(lines.slice(2)).toEqual([{ stream: "usage/m", requests: 1, ...refusal(3) }]);
});

test("what another stream's refusal finds waiting long enough is logged with it", () => {
  const { log, lines, pass } = openLog();
  log.note({ stream: "a" }, refusal(1));
  log.note({ stream: "a" }, refusal(1));
  pass(60_000);
  log.note({ stream: "b" }, refusal(1));
  expect(lines.map(({ stream, requests }) => [stream, requests])).toEqual([
    ["a", 1],
    ["a", 1],
    ["b", 1],
  ]);
});

test("ten thousand streams that a client makes up are remembered a thousand at a time, and none's count is lost", () => {
  const { log, lines } = openLog();
  for (let i = 0; i < 10_000; i++) {
    log.note({ tenant: "t", stream: `usage/${i}${"x".repeat(1000)}` }, refusal(1));
    log.note({ tenant: "t", stream: `usage/${i}${"x".repeat(1000)}` }, refusal(1));
  }
  log.flush(true);
  expect(lines.reduce((sum, { quarantined }) => sum + quarantined, 0)).toBe(20_000);
  expect(Math.max(...lines.map(({ stream }) => stream.length))).toBe(200);
});

test("of a body refused whole all events count, but for those that conflict", () => {
  const errors = [validationError("Quantity must be a number, got a string", { index: 1, field: "Quantity" })];
  const conflicts = [{ reason: validationError("taken before", { index: 2 }), id: "" }];
  expect(refusedIn({ kind: "rejected", errors, conflicts, total: 10 })).toEqual({
    ...{ refused: 9, conflicts: 1, quarantined: 0 },
    first: { why: "Quantity must be a number, got a string", code: 70000000, field: "Quantity" },
  });
});

test("of a body accepted in part conflicts and quarantined events count, and one accepted whole is no refusal", () => {
  const results = (["accepted", "duplicate", "quarantined", "conflict", "quarantined"] as const).map(
    (status, index) => ({ index, status, id: "", reasons: [validationError(`${status} ${index}`)] }),
  );
  const accepted = { kind: "accepted", preferences: PREFERENCES, resource: null } as const;
  expect(refusedIn({ ...accepted, results })).toEqual({
    ...{ refused: 0, conflicts: 1, quarantined: 2 },
    first: { why: "quarantined 2", code: 70000000 },
  });
  expect(refusedIn({ ...accepted, results: results.slice(0, 2) })).toBeNull();
});

test.each([
  ['the catalog has no customer_id "cus_secret \\" and more"', "the catalog has no customer_id …"],
  ["offset 3: unexpected §, expected a value", "offset 3: unexpected …, expected a value"],
  ["x".repeat(1000), "x".repeat(200)],
])("what a message quotes of an event stays out: %j", (message, why) => {
  expect(reasonOf("not valid", { message })).toEqual({ why });
});
