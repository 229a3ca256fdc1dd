/**
 * `npm run demo`: 10,000 real events through agent and edge to the twin while the line is cut and both are
 * killed; at the end the three ledgers side by side. Exit 0 when they agree, 1 when they don't.
 * Runs on ports and in a directory of its own.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { CLOSED_PIPE_EXIT_CODE } from "../processes/closed-pipe.ts";
import { freePort } from "../processes/free-port.ts";
import { type Stack, startStack } from "../processes/stack.ts";
import { isClosedPipe, stopSignal } from "../processes/stop-signals.ts";
import { tempDir } from "../processes/temp-dir.ts";
import { until } from "../processes/until.ts";
import { type LedgerAddresses, readLedgers } from "../reconcile/ledgers.ts";
import { differences, reconciliationLines } from "../reconcile/reconcile.ts";
import { feed } from "../sample/feeder.ts";
import { readSampleEvents, SAMPLE_METER, SAMPLE_PATH, SAMPLE_STREAM } from "../sample/sample.ts";
import { grouped } from "../terminal/text-table.ts";
import { type CuttableProxy, createCuttableProxy } from "./cuttable-proxy.ts";
import { Director, plotOf } from "./plot.ts";
import { createReporter, type Reporter } from "./reporter.ts";

const FEED = { bodyEvents: 100, eventsPerSecond: 350 };
const DRAIN_MS_MAX = 300_000;
const SHOW_EVERY_MS = 200;
/** Short waits between attempts, so that the story fits into a minute. */
const UPLOAD = { linger_ms: 100, batch_events: 500, backoff_base_ms: 100, backoff_max_ms: 1_000, timeout_ms: 5_000 };
const EDGE_VARS = { BACKOFF_BASE_MS: "100", BACKOFF_MAX_MS: "1000", UPSTREAM_TIMEOUT_MS: "5000" };

const stopping = stopSignal();
process.exitCode = await run();

async function run(): Promise<number> {
  const lines = readSampleEvents();
  const state = tempDir("weir-demo");
  const reporter = createReporter(process.stdout, lines.length);
  const ports = { edge: await freePort(), agent: await freePort(), twin: await freePort() };
  const proxy = await createCuttableProxy(ports.edge);
  try {
    reporter.say("Starting edge (workerd, D1, Queues), agent and a stand-in for the upstream.");
    const stack = await startStack({
      stateDirectory: state.path,
      ports,
      agentId: "demo",
      edgeUrlForAgent: proxy.url,
      upload: UPLOAD,
      edgeVars: EDGE_VARS,
      onReady: () => undefined,
      signal: stopping,
    });
    return await play(stack, proxy, lines, reporter);
  } catch (error) {
    reporter.end();
    if (isClosedPipe(stopping)) return CLOSED_PIPE_EXIT_CODE;
    console.error(`npm run demo: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    await proxy.close();
    state.remove();
  }
}

/** Feeds all events while the plot goes on, waits for the drain, and reconciles. Ends the stack. */
async function play(stack: Stack, proxy: CuttableProxy, lines: readonly string[], reporter: Reporter): Promise<number> {
  const urls = { agent: stack.agent.url, edge: stack.edge.url, twin: stack.twin.url };
  const director = new Director(plotOf(stack, proxy), (tale) => reporter.say(tale));
  const signal = AbortSignal.any([stopping, director.failed]);
  const { producer } = (await readLedgers(urls)).agent ?? { producer: "" };
  const watching = watch(urls, producer, reporter);
  try {
    reporter.say(`${grouped(lines.length)} real events go to the agent, ${FEED.bodyEvents} a request.`);
    const { repeated } = await feedWith(director, urls.agent, lines, signal);
    await director.done();
    signal.throwIfAborted();
    if (director.left() > 0) throw new Error(`${director.left()} of the steps never came`);
    reporter.say(`All are fed, with ${repeated} repeated requests on the way. Now everything drains.`);
    const isDrained = await drain(urls, producer, signal);
    await watching.end();
    reporter.end();
    const ledgers = await readLedgers(urls, producer);
    const received = await readReceived(urls.twin);
    console.log(`\n${reconciliationLines(SAMPLE_STREAM, ledgers).join("\n")}\n`);
    return conclude(lines, differences({ stream: SAMPLE_STREAM, lines }, { ledgers, received }), isDrained);
  } finally {
    // A step under way may be starting a process: only after it are all of them there to be stopped.
    await Promise.allSettled([watching.end(), director.done()]);
    await stack.stop();
  }
}

function feedWith(director: Director, agentUrl: string, lines: readonly string[], signal: AbortSignal) {
  return feed({
    ...FEED,
    url: agentUrl + SAMPLE_PATH,
    lines,
    keyPrefix: SAMPLE_METER,
    signal,
    onSent: (first) => director.reach(first, true),
    onAccepted: (fed) => director.reach(fed, false),
  });
}

function conclude(lines: readonly string[], differing: readonly string[], isDrained: boolean): number {
  if (differing.length > 0) {
    const late = isDrained ? "" : ` (not drained within ${DRAIN_MS_MAX / 1000} s)`;
    console.log(`The ledgers differ${late}:\n${differing.map((text) => `  ${text}`).join("\n")}`);
    return 1;
  }
  const equal = lines.length - new Set(lines).size;
  console.log(`Equal: each of the ${grouped(lines.length)} events is with the twin, once, byte for byte.`);
  console.log(`${grouped(equal)} of them repeat another's text; their positions kept them apart.`);
  return 0;
}

/** Keeps the bars moving until it is told to end. */
function watch(urls: LedgerAddresses, producer: string, reporter: Reporter): { end(): Promise<void> } {
  const ending = new AbortController();
  const show = async () => {
    while (!ending.signal.aborted) {
      reporter.show(await readLedgers(urls, producer));
      await sleep(SHOW_EVERY_MS, undefined, { signal: ending.signal }).catch(() => undefined);
    }
    reporter.show(await readLedgers(urls, producer));
  };
  const showing = show();
  // Its failure is told by `end`; until then it must not count as unhandled.
  showing.catch(() => undefined);
  return {
    end: () => {
      ending.abort();
      return showing;
    },
  };
}

/** Waits until neither agent nor edge has anything under way; false when that takes too long. */
async function drain(urls: LedgerAddresses, producer: string, signal: AbortSignal): Promise<boolean> {
  const isDone = async () => {
    const { agent, edge } = await readLedgers(urls, producer);
    const row = edge?.find((item) => item.stream === SAMPLE_STREAM);
    return agent?.ledger.pending === 0 && row?.pending === 0;
  };
  try {
    await until(isDone, {
      what: "agent and edge to drain",
      timeoutMs: DRAIN_MS_MAX,
      everyMs: 100,
      signal,
    });
    return true;
  } catch (error) {
    if (signal.aborted) throw error;
    return false;
  }
}

async function readReceived(twinUrl: string): Promise<string[]> {
  const answer = await fetch(`${twinUrl}/twin/events?stream=${encodeURIComponent(SAMPLE_STREAM)}`);
  return (await answer.text()).split("\n").slice(0, -1);
}
