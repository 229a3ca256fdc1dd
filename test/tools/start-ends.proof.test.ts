/** `npm start` when it, or a part of it, ends in the middle. */
import { expect, test } from "vitest";
import { until } from "../../tools/processes/until.ts";
import { setupStart } from "../support/npm-start.ts";
import { processesNaming } from "../support/process-list.ts";

test("a start that is killed hard leaves no process, and the next one goes on where it was", async () => {
  const { start, flowing, state } = await setupStart();
  const first = start();
  await flowing(first);
  await first.kill("SIGKILL");
  await until(() => processesNaming(state).length === 0, { what: "the orphans to end" });
  const second = start();
  await flowing(second);
  const summary = await until(() => /sample (\d+)\/10000 \| agent accepted (\d+)/.exec(second.stdout()), {
    what: "a summary",
  });
  // What was fed is what the agent has, or it has more by now.
  expect(Number(summary[1])).toBeGreaterThan(0);
  expect(Number(summary[2]) - Number(summary[1])).toBeGreaterThanOrEqual(0);
  // To the end of the sample: over both starts, with a twin of its own for each, the numbers shown are equal.
  const events = 10_000;
  const hop = `accepted ${events} pending 0 delivered ${events} quarantined 0`;
  const equal = `sample ${events}/${events} | agent ${hop} | edge ${hop} | twin received ${events} | finished and in step`;
  await until(() => second.stdout().includes(equal), { what: "equal ledgers", timeoutMs: 400_000 }).catch((cause) => {
    throw new Error(`the numbers never met:\n${second.stdout().slice(-2_000)}`, { cause });
  });
});

test("a part that dies is named, and the whole ends with exit 1", async () => {
  const { start, flowing, state } = await setupStart();
  const started = start();
  await flowing(started);
  const agent = processesNaming(state).find(({ args }) => args.includes("agent/main.ts"));
  if (agent === undefined) throw new Error("no agent runs");
  process.kill(agent.pid, "SIGKILL");
  expect(await started.exited).toEqual({ code: 1, signal: null });
  expect(started.stderr()).toContain("the agent ended by itself (SIGKILL)");
  expect(processesNaming(state)).toEqual([]);
});

test("a second start on the same state is refused and disturbs nothing", async () => {
  const { start, flowing } = await setupStart();
  const first = start();
  await flowing(first);
  const second = start();
  expect(await second.exited).toMatchObject({ code: 1 });
  expect(second.stderr()).toContain(`process ${first.pid} runs on this state already`);
  expect(first.isRunning()).toBe(true);
});
