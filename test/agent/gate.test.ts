import { expect, test } from "vitest";
import { createGate } from "../../agent/upload/gate.ts";
import { fakeClock } from "./support/fake-clock.ts";

function setup() {
  const clock = fakeClock();
  const stop = new AbortController();
  const gate = createGate(clock);
  const entered: boolean[] = [];
  const enter = () => void gate.enter(stop.signal).then((ok) => entered.push(ok));
  const settle = () => clock.advance(0);
  return { clock, gate, entered, enter, settle, stop };
}

test("nobody passes before a quiet time is over, and everybody does once it is", async () => {
  const { clock, gate, entered, enter } = setup();
  gate.quiet(5000);
  enter();
  enter();
  await clock.advance(4999);
  expect(entered).toEqual([]);
  await clock.advance(1);
  expect(entered).toEqual([true, true]);
});

test("a shorter quiet time never ends a longer one, nor does a success", async () => {
  const { clock, gate, entered, enter } = setup();
  gate.quiet(5000);
  gate.quiet(100);
  gate.reopen();
  enter();
  await clock.advance(4999);
  expect(entered).toEqual([]);
});

test("a quiet time announced while others wait holds for them too", async () => {
  const { clock, gate, entered, enter } = setup();
  gate.quiet(100);
  enter();
  gate.quiet(5000);
  await clock.advance(101);
  expect(entered).toEqual([]);
});

test("while paused, one probe each interval passes and the others wait for what it brings", async () => {
  const { clock, gate, entered, enter, settle } = setup();
  gate.pause(1000);
  enter();
  enter();
  enter();
  await clock.advance(1000);
  expect(entered).toEqual([true]);
  await clock.advance(10_000);
  expect(entered).toEqual([true]);
  gate.pause(1000);
  await clock.advance(1000);
  expect(entered).toEqual([true, true]);
  gate.reopen();
  await settle();
  expect(entered).toEqual([true, true, true]);
});

test("a probe on request passes at once", async () => {
  const { gate, entered, enter, settle } = setup();
  gate.pause(60_000);
  enter();
  gate.probe();
  await settle();
  expect(entered).toEqual([true]);
});

test("who waits when the agent stops is woken with that outcome", async () => {
  const { gate, entered, enter, settle, stop } = setup();
  gate.pause(60_000);
  enter();
  stop.abort();
  await settle();
  expect(entered).toEqual([false]);
});
