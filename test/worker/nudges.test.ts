/** Messages about pending work cost: few are sent, and each event is found by one that was sent after it, or comes after it. */
import { expect, it } from "vitest";
import type { Nudge } from "../../worker/env.ts";
import { createNudges } from "../../worker/nudges.ts";
import { seeded } from "../support/seeded.ts";
import { connectEdge, event, setupEdge } from "./support/edge.ts";

interface Message extends Nudge {
  readonly sentAt: number;
  readonly delaySeconds: number;
}

/** A clock by hand and what was sent; `broken` sends fail. */
function setup() {
  const state = { now: 1_000_000, isBroken: false };
  const messages: Message[] = [];
  const lost: string[] = [];
  const nudges = createNudges({
    clock: { now: () => state.now },
    send: async (nudge, delaySeconds) => {
      if (state.isBroken) throw new Error("the queue is away");
      messages.push({ ...nudge, sentAt: state.now, delaySeconds });
    },
    tell: (_, stream) => lost.push(stream),
  });
  return { state, messages, lost, ...nudges };
}

it("of a thousand events a second one message goes at once, and then four in three seconds", async () => {
  const { state, messages, nudgePending } = setup();
  for (let ms = 0; ms < 10_000; ms++) {
    await nudgePending("t", "usage/m");
    state.now++;
  }
  expect(messages[0]?.delaySeconds).toBe(0);
  expect(messages.length).toBeLessThanOrEqual(15);
});

it("a lone event's message goes at once, however many streams there are", async () => {
  const { state, messages, nudgePending } = setup();
  for (let n = 0; n < 20; n++) {
    await nudgePending("t", `usage/${n}`);
    await nudgePending("u", `usage/${n}`);
    state.now += 2_000;
  }
  expect(messages.map(({ delaySeconds }) => delaySeconds)).toEqual(Array(40).fill(0));
});

it("what an invocation left comes again at once, though events told of the stream just now", async () => {
  const { messages, nudge, nudgePending } = setup();
  await nudgePending("t", "charge");
  await nudge("t", "charge");
  await nudge("t", "charge");
  expect(messages.map(({ delaySeconds }) => delaySeconds)).toEqual([0, 0, 0]);
});

it("a lane that waits is looked at once when it may be tried, however many messages find it waiting", async () => {
  const { state, messages, nudge, nudgePending } = setup();
  const dueAt = state.now + 60_000;
  for (let second = 0; second < 50; second++) {
    await nudgePending("t", "usage/m");
    await nudge("t", "usage/m", Math.ceil((dueAt - state.now) / 1_000));
    state.now += 1_100;
  }
  expect(messages.filter(({ delaySeconds }) => delaySeconds > 1)).toHaveLength(1);
});

it("a message that the queue did not take leaves nothing untold of that comes after", async () => {
  const { state, messages, lost, nudgePending } = setup();
  state.isBroken = true;
  await nudgePending("t", "usage/m");
  state.isBroken = false;
  await nudgePending("t", "usage/m");
  expect([lost, messages.length]).toEqual([["usage/m"], 1]);
});

it("every event is found by a message that comes after it, within two seconds, in whatever order things happen", async () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = seeded(seed);
    const { state, messages, nudge, nudgePending } = setup();
    const filed: number[] = [];
    for (let step = 0; step < 100; step++) {
      state.now += Math.floor(random() ** 3 * 3_000);
      if (random() < 0.8) {
        filed.push(state.now);
        await nudgePending("t", "s");
      } else await nudge("t", "s", Math.floor(random() * 5));
    }
    for (const at of filed) {
      // A queue may bring it early by the rounding of a second, and never before it was sent.
      const found = messages.some(({ sentAt, delaySeconds }) => {
        const earliest = Math.max(sentAt, sentAt + 1_000 * delaySeconds - 250);
        return earliest >= at && sentAt + 1_000 * delaySeconds <= at + 2_000;
      });
      expect(found, `seed ${seed}, event at ${at}`).toBe(true);
    }
  }
});

it("fifty requests of one event each send two messages, and following these delivers all of them", async () => {
  const { tenant } = await setupEdge();
  const sent: { body: Nudge; delaySeconds: number }[] = [];
  const send = async (body: Nudge, { delaySeconds = 0 }: QueueSendOptions = {}) =>
    void sent.push({ body, delaySeconds });
  let now = Date.now();
  const edge = connectEdge(tenant, {
    bindings: { NUDGES: { send } as unknown as Queue<Nudge> },
    runtime: { clock: { now: () => now } },
  });
  const meter = `nudges-${tenant}`;
  await edge.putCatalog({ streams: [{ meter_global_id: meter }] });
  for (let n = 0; n < 50; n++) {
    expect((await edge.post(meter, event({ n }))).status).toBe(200);
    now += 10;
  }
  expect(sent.map(({ delaySeconds }) => delaySeconds)).toEqual([0, 1]);
  for (const { body } of sent) await edge.services.delivery.deliver(body);
  expect(await edge.twinEvents(meter)).toHaveLength(50);
});
