import { expect, it } from "vitest";
import { LeftLanes, type RunHost, type RunLane, runLanes, type Turn } from "../../worker/delivery/run.ts";
import { Slots } from "../../worker/delivery/slots.ts";
import { CALL_BYTES_MAX } from "../../worker/delivery/upstream.ts";

const laneOf = (context: string): RunLane => ({
  lane: { tenant: "t", stream: "usage/m", context },
  troubled: false,
  fixed: false,
  boundTo: null,
});

it("a call that had no room beside another, which ended while it was looked for, goes in the same run", async () => {
  const [small, large] = [laneOf("small"), laneOf("large")];
  const sent: string[] = [];
  const smallEnds = Promise.withResolvers<void>();
  const turn = (of: RunLane, bytes: number, before: Promise<void>): Turn => ({
    bytes,
    isLast: true,
    async send() {
      await before;
      sent.push(of.lane.context);
      return { kind: "settled", more: false };
    },
  });
  const host: RunHost = {
    ...{ now: () => 0, slots: new Slots(), leftLanes: new LeftLanes(), slotMs: 1000, leavesHanging: false },
    mayTake: () => true,
    pause: () => Promise.resolve(),
    async lease(of, { room }) {
      if (sent.includes(of.lane.context)) return null;
      if (of === small) return turn(small, 1000, smallEnds.promise);
      if (room >= CALL_BYTES_MAX) return turn(large, CALL_BYTES_MAX, Promise.resolve());
      smallEnds.resolve();
      // The small call's slot is given back before it is known that the large one has no room.
      for (let turns = 0; turns < 20; turns++) await Promise.resolve();
      return null;
    },
  };
  await runLanes([small, large], host);
  expect(sent).toEqual(["small", "large"]);
});
