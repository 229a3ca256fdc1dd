import { describe, expect, test } from "vitest";
import { type CallHistory, type CallResult, decide, type Verdict } from "../../shared/verdict.ts";

const NOW = Date.UTC(2026, 0, 1);
const KNOWN: CallHistory = { outcomeUnknown: false };
const UNKNOWN: CallHistory = { outcomeUnknown: true };

const answer = (status: number, more: Partial<CallResult & { kind: "answer" }> = {}): CallResult => ({
  kind: "answer",
  status,
  accounted: "all",
  ...more,
});

const RETRY: Verdict = { kind: "retry", atLeastMs: 0 };
const BISECT: Verdict = { kind: "bisect" };
const CREDENTIALS: Verdict = { kind: "pause", holds: "credentials" };
const LANE: Verdict = { kind: "pause", holds: "lane" };

/** Every status that is treated apart; the rest goes by its class. */
const APART = new Map<number, Verdict>([
  [400, BISECT],
  [401, CREDENTIALS],
  [408, RETRY],
  [409, BISECT],
  [413, { kind: "split" }],
  [422, BISECT],
  [425, RETRY],
  [429, RETRY],
]);
const BY_CLASS = new Map<number, Verdict>([
  [1, RETRY],
  [2, { kind: "delivered" }],
  [3, RETRY],
  [4, LANE],
  [5, RETRY],
]);

const STATUSES = Array.from({ length: 500 }, (_, i) => 100 + i);

describe("an answer", () => {
  test.each(STATUSES)("of status %i means what the table says", (status) => {
    const expected = APART.get(status) ?? BY_CLASS.get(Math.floor(status / 100));
    expect(decide(answer(status), KNOWN, NOW)).toEqual(expected);
  });

  test.each([
    [429, (waitMs: number): Verdict => ({ kind: "wait", waitMs, holds: "destination" })],
    [503, (atLeastMs: number): Verdict => ({ kind: "retry", atLeastMs })],
    [507, (atLeastMs: number): Verdict => ({ kind: "retry", atLeastMs })],
  ])("of status %i waits for as long as it asks, in either form; only after 429 all others do too", (status, waits) => {
    expect(decide(answer(status, { retryAfter: "3" }), KNOWN, NOW)).toEqual(waits(3_000));
    const date = new Date(NOW + 5_000).toUTCString();
    expect(decide(answer(status, { retryAfter: date }), KNOWN, NOW)).toEqual(waits(5_000));
    for (const retryAfter of [null, undefined, "", "soon"]) {
      expect(decide(answer(status, retryAfter === undefined ? {} : { retryAfter }), KNOWN, NOW)).toEqual(RETRY);
    }
  });

  test("that is neither 429, 503 nor 507 is not changed by a Retry-After", () => {
    for (const status of STATUSES) {
      if (status === 429 || status === 503 || status === 507) continue;
      const with3 = decide(answer(status, { retryAfter: "3" }), KNOWN, NOW);
      expect(with3, String(status)).toEqual(decide(answer(status), KNOWN, NOW));
    }
  });

  test("of 2xx that does not account for the events is repeated, never taken for delivered", () => {
    for (let status = 200; status < 300; status++) {
      expect(decide(answer(status, { accounted: "none" }), KNOWN, NOW)).toEqual(RETRY);
      expect(decide(answer(status, { accounted: "none" }), UNKNOWN, NOW)).toEqual(RETRY);
      expect(decide(answer(status, { accounted: "all" }), KNOWN, NOW)).toEqual({ kind: "delivered" });
      expect(decide(answer(status, { accounted: "some" }), KNOWN, NOW)).toEqual(BISECT);
    }
  });

  test("of 409 counts as delivered only after an attempt whose outcome is unknown", () => {
    expect(decide(answer(409), UNKNOWN, NOW)).toEqual({ kind: "delivered" });
    expect(decide(answer(409), KNOWN, NOW)).toEqual(BISECT);
  });

  test("other than 409 means the same whatever became of earlier attempts", () => {
    for (const status of STATUSES) {
      if (status === 409) continue;
      expect(decide(answer(status), UNKNOWN, NOW), String(status)).toEqual(decide(answer(status), KNOWN, NOW));
    }
  });
});

test.each(["network", "timeout"] as const)(
  "no response (%s) is repeated without end, whatever came before",
  (reason) => {
    expect(decide({ kind: "no-response", reason }, KNOWN, NOW)).toEqual(RETRY);
    expect(decide({ kind: "no-response", reason }, UNKNOWN, NOW)).toEqual(RETRY);
  },
);
