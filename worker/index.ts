/** The Worker's three entries: requests, nudges from the queue, the clock. */
import { createApp } from "./app.ts";
import type { HandOver } from "./delivery/invocation.ts";
import type { Bindings, Nudge } from "./env.ts";
import { logFailure } from "./log.ts";
import { servicesOf } from "./services.ts";

const app = createApp();

/** Where nudges go whose delivery failed again and again. */
const DEAD_LETTERS = "weir-nudges-dead";

/** A dead nudge takes no event with it: the ledger holds the work and the sweep finds it. It is only told. */
function buryNudges(batch: MessageBatch<Nudge>): void {
  for (const message of batch.messages) {
    logFailure("a nudge was given up after its retries; the sweep will find its work", "dead letter", {
      stream: message.body.stream,
    });
    message.ack();
  }
}

/** Calls that hang are settled behind the back of the batch or sweep that made them, which others wait behind. */
function behind(context: ExecutionContext): HandOver {
  return (rest) =>
    context.waitUntil(
      rest.catch((cause: unknown) =>
        logFailure("a call that hung could not be settled; it is sent again once its lease is over", cause),
      ),
    );
}

export default {
  fetch: app.fetch,

  /**
   * Each message names a stream with pending work. Those of one stream are one piece of work; each message is
   * acknowledged by itself, since an uncaught throw would bring back them all.
   */
  async queue(batch, bindings, context) {
    if (batch.queue === DEAD_LETTERS) return buryNudges(batch);
    const { delivery, usageFold, eventIndex, clock } = servicesOf(bindings);
    const streams = new Map<string, Message<Nudge>[]>();
    for (const message of batch.messages) {
      const key = `${message.body.tenant}\n${message.body.stream}`;
      streams.set(key, [...(streams.get(key) ?? []), message]);
    }
    await Promise.all(
      [...streams.values()].map(async (messages) => {
        const [first] = messages;
        if (first === undefined) return;
        try {
          await delivery.deliver(first.body, behind(context));
          await usageFold.fold(first.body.tenant);
          await eventIndex.follow(first.body.tenant, clock.now());
          for (const message of messages) message.ack();
        } catch (cause) {
          logFailure("a nudge could not be followed", cause, { stream: first.body.stream });
          for (const message of messages) message.retry();
        }
      }),
    );
  },

  async scheduled(_controller, bindings, context) {
    const { delivery, usageFold, eventIndex, refusals, clock } = servicesOf(bindings);
    refusals.flush();
    const done = await Promise.allSettled([
      delivery.sweep(behind(context)),
      usageFold.sweep(),
      eventIndex.sweep(clock.now()),
    ]);
    const failed = done.find((result) => result.status === "rejected");
    if (failed !== undefined) throw new Error("a sweep failed", { cause: failed.reason });
  },
} satisfies ExportedHandler<Bindings, Nudge>;
