/** The Worker's three doors: requests, nudges from the queue, the clock. */
import { createApp } from "./app.ts";
import type { Bindings, Nudge } from "./env.ts";
import { logFailure } from "./log.ts";
import { servicesOf } from "./services.ts";

const app = createApp();

export default {
  fetch: app.fetch,

  /**
   * Each message names a stream with pending work. Those of one stream are one piece of work; each message is
   * acknowledged by itself, since an uncaught throw would bring back them all.
   */
  async queue(batch, bindings) {
    const { delivery } = servicesOf(bindings);
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
          await delivery.deliver(first.body);
          for (const message of messages) message.ack();
        } catch (cause) {
          logFailure("delivery failed", cause, { stream: first.body.stream });
          for (const message of messages) message.retry();
        }
      }),
    );
  },

  async scheduled(_controller, bindings) {
    await servicesOf(bindings).delivery.sweep();
  },
} satisfies ExportedHandler<Bindings, Nudge>;
