import { expect, test } from "vitest";
import { createOutageLog } from "../../agent/upload/outage.ts";
import { until } from "../../tools/processes/until.ts";
import { fakeClock } from "./support/fake-clock.ts";
import { logLines } from "./support/log-lines.ts";
import { EVENT, setup } from "./support/setup.ts";

function setupLog() {
  const clock = fakeClock();
  const { logger, lines } = logLines();
  return { clock, lines, outage: createOutageLog(logger, clock) };
}

test("an outage is one line when it begins, one a minute while it lasts, one when it ends", async () => {
  const { clock, lines, outage } = setupLog();
  outage.passed();
  for (let second = 0; second < 150; second++) {
    outage.failed("unreachable", "network: refused");
    await clock.advance(1000);
  }
  outage.passed();
  outage.passed();
  expect(lines).toEqual([
    { level: 40, state: "unreachable", reason: "network: refused", msg: "uploads fail; events are kept" },
    {
      ...{ level: 40, state: "unreachable", reason: "network: refused", attempts: 61, for_s: 60 },
      msg: "uploads still fail; events are kept",
    },
    {
      ...{ level: 40, state: "unreachable", reason: "network: refused", attempts: 121, for_s: 120 },
      msg: "uploads still fail; events are kept",
    },
    { level: 30, attempts: 150, for_s: 150, msg: "uploads go through again" },
  ]);
});

test("what needs a person is an error at once, in the middle of another outage too", () => {
  const { lines, outage } = setupLog();
  outage.failed("backing_off", "answered 503");
  outage.failed("paused", "answered 401");
  outage.failed("paused", "answered 401");
  expect(lines.map(({ level, state }) => [level, state])).toEqual([
    [40, "backing_off"],
    [50, "paused"],
  ]);
});

test("an agent's outage of many attempts is logged in two lines, with its cause", async () => {
  const { logger, lines } = logLines();
  let down = true;
  await using agent = await setup({ logger, reply: () => (down ? { status: 500 } : undefined) });
  await agent.post("/usage/bulk/m", EVENT);
  await until(() => agent.destination.calls.length > 20, { what: "many attempts" });
  down = false;
  await agent.drained();
  const uploads = lines.filter(({ msg }) => msg.startsWith("uploads"));
  expect(uploads).toMatchObject([
    { level: 40, state: "backing_off", reason: "answered 500" },
    { level: 30, msg: "uploads go through again" },
  ]);
  expect(uploads[1]?.["attempts"]).toBe(agent.destination.calls.length - 1);
});
