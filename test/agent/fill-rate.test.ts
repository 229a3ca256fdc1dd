import { expect, test } from "vitest";
import type { StatusDocument } from "../../agent/operator/status.ts";
import { until } from "../../tools/processes/until.ts";
import { fakeClock } from "./support/fake-clock.ts";
import { eventNumber, setup } from "./support/setup.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

test("hours left come from the last ten minutes' filling, end with the filling, and are null while draining", async () => {
  const clock = fakeClock();
  let down = true;
  await using agent = await setup({
    clock,
    buffer: 'max_bytes = "16 MiB"',
    reply: () => (down ? { status: 500 } : undefined),
  });
  let n = 0;
  const post = async () => {
    const body = `${" ".repeat(1000)}${eventNumber(n++)}`;
    expect((await agent.post("/usage/bulk/m", body)).status).toBe(200);
    return Buffer.byteLength(body.trim());
  };
  const hours = async () => (await agent.agent.status()).buffer.hours_left;
  const expected = ({ buffer }: StatusDocument, grown: number, elapsedMs: number) =>
    Math.round((((buffer.max_bytes - buffer.bytes) * elapsedMs) / grown / HOUR_MS) * 10) / 10;

  expect(await hours()).toBeNull();
  const sent: number[] = [];
  for (let minute = 0; minute < 8; minute++) {
    await clock.advance(MINUTE_MS);
    sent.push(await post());
  }
  const sum = (texts: readonly number[]) => texts.reduce((total, bytes) => total + bytes, 0);
  const early = await agent.agent.status();
  expect(early.buffer.hours_left).toBe(expected(early, sum(sent), 8 * MINUTE_MS));

  for (let minute = 0; minute < 20; minute++) {
    await clock.advance(MINUTE_MS);
    sent.push(await post());
  }
  const later = await agent.agent.status();
  expect(later.buffer.hours_left).toBe(expected(later, sum(sent.slice(-10)), 10 * MINUTE_MS));
  // Housekeeping may have changed the files' size by some pages since.
  const shown = (await agent.metrics()).get("weir_agent_hours_left") ?? Number.NaN;
  expect(shown / (later.buffer.hours_left ?? Number.NaN)).toBeCloseTo(1, 1);

  await clock.advance(11 * MINUTE_MS);
  expect(await hours()).toBeNull();

  sent.push(await post());
  await clock.advance(MINUTE_MS);
  expect(await hours()).not.toBeNull();
  down = false;
  await until(
    async () => {
      await clock.advance(1000);
      return (await agent.agent.status()).ledger.pending === 0;
    },
    { what: "the buffer to drain" },
  );
  expect(await hours()).toBeNull();
  expect((await agent.metrics()).has("weir_agent_hours_left")).toBe(false);
});
