/** The Worker's three entries: requests, nudges from the queue, the clock. */
import { createApp } from "./app.ts";
import { createBudget, STATEMENTS_MAX, type StatementBudget } from "./database/statement-budget.ts";
import { MESSAGE_STATEMENTS } from "./delivery/delivery.ts";
import type { HandOver, Wanted } from "./delivery/invocation.ts";
import type { Bindings, Nudge } from "./env.ts";
import { logFailure } from "./log.ts";
import { type Services, servicesOf } from "./services.ts";

const app = createApp();

/** Of the queue where nudges go whose delivery failed again and again: its name's end, the same in each environment. */
const DEAD_LETTERS = "-dead";

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

/** Streams of a queue's batch that are worked on side by side. */
const STREAMS_AT_ONCE = 6;
/** A tenant's totals and index have no stream of their own: a message about this one brings an invocation to them. */
const TIDY_STREAM = "meter-data";
/** Tenants that a sweep sends messages for; the next finds the others. */
const NUDGED_TENANTS_MAX = 100;
/** Statements of a sweep, together an invocation's. */
const SWEEP_SHARES = { delivery: STATEMENTS_MAX - 300, fold: 120, index: 100, retention: 80 } as const;
/** What a sweep leaves of retention an invocation of its own goes on with, once; no tenant has this name. */
const RETENTION: Nudge = { tenant: "", stream: "retention" };

/** Lanes that messages name; of more of them the whole stream is looked at. */
const LANES_NAMED_MAX = 20;

/** What messages of one stream are about: the lanes that all of them name, or the whole of it. */
function wantedOf(messages: readonly Message<Nudge>[], { tenant, stream }: Nudge): Wanted {
  const contexts = new Set(messages.map(({ body }) => body.context));
  const named = [...contexts].filter((context) => context !== undefined);
  const isAll = named.length < contexts.size || named.length > LANES_NAMED_MAX;
  return { tenant, stream, ...(isAll ? {} : { contexts: named }) };
}

/** Follows messages of one stream; where the invocation has no statements left for it, they come again. */
async function followNudge(
  { delivery, nudge }: Services,
  messages: readonly Message<Nudge>[],
  handOver: HandOver,
  budget: StatementBudget,
): Promise<void> {
  const [first] = messages;
  if (first === undefined) return;
  const { tenant, stream } = first.body;
  try {
    if (budget.has(MESSAGE_STATEMENTS)) await delivery.deliver(wantedOf(messages, first.body), handOver, budget);
    else await nudge(tenant, stream);
    for (const message of messages) message.ack();
  } catch (cause) {
    logFailure("a nudge could not be followed", cause, { stream });
    for (const message of messages) message.retry();
  }
}

/** Goes on with what the sweep left. Where that fails, the next sweep is there in a minute. */
async function goOnRetaining({ retention }: Services, budget: StatementBudget): Promise<void> {
  try {
    await retention.sweep(budget);
  } catch (cause) {
    logFailure("what was delivered could not be taken out of the ledger; the sweep tries again", cause);
  }
}

/** Folds a tenant's usage and indexes its events, and has what is left come again. Neither fails. */
async function tidy(
  { usageFold, eventIndex, clock, nudge }: Services,
  tenant: string,
  budget: StatementBudget,
): Promise<void> {
  const isLeft = await usageFold.follow(tenant, budget);
  const isStopped = await eventIndex.follow(tenant, clock.now(), budget);
  if (isLeft || isStopped) await nudge(tenant, TIDY_STREAM);
}

function partition<T>(all: readonly T[], isFirst: (one: T) => boolean): [T[], T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))];
}

export default {
  fetch: app.fetch,

  /**
   * Each message names a stream with pending work. Those of one stream are one piece of work; each message is
   * acknowledged by itself, since an uncaught throw would bring back them all.
   */
  async queue(batch, bindings, context) {
    if (batch.queue.endsWith(DEAD_LETTERS)) return buryNudges(batch);
    const services = servicesOf(bindings);
    const [ofRetention, ofTenants] = partition(batch.messages, ({ body }) => body.tenant === RETENTION.tenant);
    const streams = Map.groupBy(ofTenants, ({ body }) => `${body.tenant}\n${body.stream}`);
    const budget = createBudget(bindings.LEDGER);
    const waiting = [...streams.values()];
    const worker = async () => {
      for (let messages = waiting.shift(); messages !== undefined; messages = waiting.shift())
        await followNudge(services, messages, behind(context), budget);
    };
    await Promise.all(Array.from({ length: STREAMS_AT_ONCE }, worker));
    for (const tenant of new Set(ofTenants.map(({ body }) => body.tenant))) await tidy(services, tenant, budget);
    for (const message of ofRetention) message.ack();
    if (ofRetention.length > 0) await goOnRetaining(services, budget);
  },

  async scheduled(_controller, bindings, context) {
    const { delivery, usageFold, eventIndex, retention, refusals, clock, nudge } = servicesOf(bindings);
    refusals.flush();
    const share = (statements: number) => createBudget(bindings.LEDGER, statements);
    const goOn = async (tenants: readonly string[]) => {
      for (const tenant of tenants.slice(0, NUDGED_TENANTS_MAX)) await nudge(tenant, TIDY_STREAM);
    };
    const done = await Promise.allSettled([
      delivery.sweep(behind(context), share(SWEEP_SHARES.delivery)),
      usageFold.sweep(share(SWEEP_SHARES.fold)).then(goOn),
      eventIndex.sweep(clock.now(), share(SWEEP_SHARES.index)).then(goOn),
      retention
        .sweep(share(SWEEP_SHARES.retention))
        .then(({ isLeft }) => (isLeft ? nudge(RETENTION.tenant, RETENTION.stream) : undefined)),
    ]);
    const failed = done.find((result) => result.status === "rejected");
    if (failed !== undefined) throw new Error("a sweep failed", { cause: failed.reason });
  },
} satisfies ExportedHandler<Bindings, Nudge>;
