/**
 * `npm start`: edge, twin and agent on this machine, wired together, with real events flowing through them and
 * a live summary of the three ledgers. Ctrl-C or SIGTERM ends all of it; the state stays in `.weir/`.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import { choosePort } from "../processes/ports.ts";
import { firstDeath, type Stack, startStack } from "../processes/stack.ts";
import { stopSignal } from "../processes/stop-signals.ts";
import type { LedgerAddresses } from "../reconcile/ledgers.ts";
import { feed } from "../sample/feeder.ts";
import { readSampleEvents, SAMPLE_METER, SAMPLE_PATH } from "../sample/sample.ts";
import { FedMark } from "./fed-mark.ts";
import { invitationLines } from "./invitation.ts";
import { showLiveSummary } from "./live-summary.ts";
import { claimState } from "./state-claim.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Slow enough to watch: the sample lasts 50 s. */
const FEED = { bodyEvents: 20, eventsPerSecond: 200 };

interface Flags {
  portEdge?: number;
  portAgent?: number;
  portTwin?: number;
  state: string;
  fresh: boolean;
}

function port(text: string): number {
  const value = Number(text);
  if (!/^\d{1,5}$/.test(text) || value < 1 || value > 65_535) throw new InvalidArgumentError("give a port");
  return value;
}

const flags = new Command("npm start --")
  .description("Edge, agent and upstream twin on this machine, with real events flowing through them.")
  .option("--port-edge <port>", "default 8787", port)
  .option("--port-agent <port>", "default 8788", port)
  .option("--port-twin <port>", "default 8789", port)
  .option("--state <directory>", "where database and buffer are kept", join(ROOT, ".weir"))
  .option("--fresh", "forget the state of earlier runs", false)
  .parse()
  .opts<Flags>();

const stopping = stopSignal();
process.exitCode = await run();

async function run(): Promise<number> {
  const claim = claimState(flags.state, flags.fresh);
  if (claim.kind === "held") return fail(`process ${claim.pid} runs on this state already (${claim.file})`);
  try {
    const ports = await choosePorts();
    const stack = await startStack({
      stateDirectory: flags.state,
      ports,
      agentId: "local",
      onReady: (name, url) => console.log(`${name} ready on ${url}`),
      signal: stopping,
    });
    try {
      return await live(stack);
    } finally {
      await stack.stop();
    }
  } catch (error) {
    // Whoever asked us to stop while we were still starting has what they wanted.
    return stopping.aborted ? 0 : fail(error instanceof Error ? error.message : String(error));
  } finally {
    claim.release();
  }
}

/** Runs until a signal (0), or until a part dies (1). */
async function live(stack: Stack): Promise<number> {
  const ending = new AbortController();
  const signal = AbortSignal.any([stopping, ending.signal]);
  const stopped = new Promise<null>((resolve) => signal.addEventListener("abort", () => resolve(null)));
  if (signal.aborted) return 0;
  const working = work(stack, signal);
  try {
    const death = await Promise.race([firstDeath(stack), stopped, working.then(() => null)]);
    ending.abort();
    await working;
    if (death !== null && !stopping.aborted) return fail(death);
    console.log("stopped");
    return 0;
  } finally {
    // Where the work failed by one part, its other parts must not go on.
    ending.abort();
  }
}

/** Feeds the sample and shows the ledgers until the signal aborts. */
async function work(stack: Stack, signal: AbortSignal): Promise<void> {
  const urls = { edge: stack.edge.url, agent: stack.agent.url, twin: stack.twin.url };
  const lines = readSampleEvents();
  const mark = new FedMark(flags.state);
  let fed = mark.read();
  const from = fed;
  const flowing = Promise.withResolvers<void>();
  const feeding = feed({
    ...FEED,
    url: urls.agent + SAMPLE_PATH,
    lines,
    from,
    keyPrefix: SAMPLE_METER,
    signal,
    onAccepted: (count) => {
      fed = count;
      mark.write(count);
      flowing.resolve();
    },
  });
  // Told by the last line of this function; until then it must not count as unhandled.
  feeding.catch(() => undefined);
  if (from < lines.length) {
    await Promise.race([flowing.promise, feeding]);
    if (signal.aborted) return;
    console.log("real events are flowing");
  } else {
    console.log("the sample was fed in an earlier run; `npm start -- --fresh` begins anew");
  }
  await printInvitation(urls);
  const showing = showLiveSummary({
    urls,
    output: process.stdout,
    fed: () => fed,
    total: lines.length,
    deliveredBefore: stack.deliveredBefore,
    signal,
  });
  await Promise.all([feeding, showing]);
}

/** What a person may do now. */
async function printInvitation(urls: LedgerAddresses): Promise<void> {
  console.log(`\n${invitationLines(urls, new Date()).join("\n")}`);
  if (await isServed(`${urls.edge}/console`)) console.log(`\nLook inside: ${urls.edge}/console`);
  console.log("\nCtrl-C ends all three.");
}

async function isServed(url: string): Promise<boolean> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch(() => null);
  return answer?.ok ?? false;
}

async function choosePorts() {
  const ports = { edge: 0, agent: 0, twin: 0 };
  const asked = { edge: flags.portEdge, agent: flags.portAgent, twin: flags.portTwin };
  for (const [name, fallback] of [
    ["edge", 8787],
    ["agent", 8788],
    ["twin", 8789],
  ] as const) {
    const choice = await choosePort(name, asked[name], fallback);
    if (choice.kind === "taken") throw new Error(choice.message);
    if (choice.notice !== null) console.log(choice.notice);
    ports[name] = choice.port;
  }
  return ports;
}

function fail(message: string): number {
  console.error(`npm start: ${message}`);
  return 1;
}
