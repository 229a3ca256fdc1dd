import { expect, test } from "vitest";
import { Director, type Step } from "../../tools/demo/plot.ts";

function setup(steps: (log: string[]) => Step[]) {
  const log: string[] = [];
  return { log, director: new Director(steps(log), (tale) => log.push(tale)) };
}

const step = (log: string[], at: number, tale: string, unanswered?: true): Step => ({
  at,
  tale,
  act: async () => log.push(`${tale} done`),
  ...(unanswered === undefined ? {} : { unanswered }),
});

test("steps come at their counts, in order, one at a time", async () => {
  const { log, director } = setup((log) => [step(log, 10, "a"), step(log, 10, "b"), step(log, 20, "c")]);
  director.reach(9, false);
  await director.done();
  expect(log).toEqual([]);
  director.reach(15, false);
  await director.done();
  expect(log).toEqual(["a", "a done", "b", "b done"]);
  expect(director.left()).toBe(1);
});

test("a step for an unanswered request waits for one, and holds back those after it", async () => {
  const { log, director } = setup((log) => [step(log, 10, "a", true), step(log, 10, "b")]);
  director.reach(30, false);
  await director.done();
  expect(log).toEqual([]);
  director.reach(30, true);
  await director.done();
  expect(log).toEqual(["a", "a done", "b", "b done"]);
});

test("a step that fails ends the plot and says why", async () => {
  const failure = new Error("no edge");
  const { log, director } = setup((log) => [
    { at: 1, tale: "a", act: () => Promise.reject(failure) },
    step(log, 1, "b"),
  ]);
  director.reach(1, false);
  await director.done();
  expect(director.failed.reason).toBe(failure);
  expect(log).toEqual(["a"]);
});
