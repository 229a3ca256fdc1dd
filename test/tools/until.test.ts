import { expect, test } from "vitest";
import { until } from "../../tools/processes/until.ts";

test("waits for the first answer that is not empty, errors counting as not yet", async () => {
  const answers: (() => number | null)[] = [
    () => null,
    () => {
      throw new Error("not there");
    },
    () => 0,
  ];
  await expect(until(() => answers.shift()?.() ?? null, { what: "a number", everyMs: 1 })).resolves.toBe(0);
});

test("says what it waited for in vain, and why", async () => {
  const cause = new Error("refused");
  const waiting = until(() => Promise.reject(cause), { what: "the edge", timeoutMs: 5, everyMs: 1 });
  await expect(waiting).rejects.toMatchObject({ message: "waited 5 ms in vain for the edge", cause });
});
