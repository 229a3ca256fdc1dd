/** Edge, agent and twin, wired together. */
import { join } from "node:path";
import { readEdgeLedger, sumOf } from "../reconcile/ledgers.ts";
import { addSampleCatalog } from "../sample/sample.ts";
import { lastWords } from "./node-process.ts";
import type { Restartable } from "./restartable.ts";
import { until } from "./until.ts";
import { runAgent, runEdge, runTwin, twinVars } from "./weir-processes.ts";

export interface StackOptions {
  /** Keeps the edge's database and the agent's buffer; a directory for each below it. */
  readonly stateDirectory: string;
  readonly ports: { readonly edge: number; readonly agent: number; readonly twin: number };
  readonly agentId: string;
  /** Where the agent finds the edge, if not at its own address: a proxy between the two. */
  readonly edgeUrlForAgent?: string;
  /** Of the agent, see `runAgent`. */
  readonly upload?: Readonly<Record<string, string | number>>;
  /** Settings of the edge beside those that point it at the twin. */
  readonly edgeVars?: Readonly<Record<string, string>>;
  /** Called with each part once it is ready. */
  readonly onReady: (name: PartName, url: string) => void;
  /** Ends the starting between two parts. */
  readonly signal: AbortSignal;
}

export type PartName = "edge" | "agent" | "twin";

export interface Stack {
  readonly edge: Restartable;
  readonly agent: Restartable;
  readonly twin: Restartable;
  /** What the edge had delivered before this twin, whose memory begins with it, was there to take it. */
  readonly deliveredBefore: number;
  /** Ends all three softly, at once; each keeps what it has on disk. */
  stop(): Promise<void>;
}

/** Starts all three, with the sample's streams in the edge's catalog before the agent asks for it. Ends what it started if one fails. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { stateDirectory, ports, onReady } = options;
  const started: Restartable[] = [];
  const stop = async () => void (await Promise.all(started.map((part) => part.stop())));
  const begin = async (name: PartName, starting: Promise<Restartable>) => {
    const part = await starting;
    started.push(part);
    onReady(name, part.url);
    options.signal.throwIfAborted();
    return part;
  };
  try {
    // The edge first, and its ledger read: while there is no twin, nothing it holds can be delivered.
    const vars = { ...twinVars(`http://127.0.0.1:${ports.twin}`), ...options.edgeVars };
    const edge = await begin("edge", runEdge({ port: ports.edge, persistTo: join(stateDirectory, "edge"), vars }));
    const ledger = await until(() => readEdgeLedger(edge.url), { what: "the edge's ledger", signal: options.signal });
    const { delivered: deliveredBefore } = sumOf(ledger);
    await addSampleCatalog(edge.url);
    const twin = await begin("twin", runTwin({ port: ports.twin }));
    const agentOptions = {
      port: ports.agent,
      id: options.agentId,
      directory: join(stateDirectory, "agent"),
      destinationUrl: options.edgeUrlForAgent ?? edge.url,
      upload: options.upload ?? {},
    };
    const agent = await begin("agent", runAgent(agentOptions));
    return { edge, agent, twin, deliveredBefore, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Settles when one of the parts ends by itself, with a message that holds its last words. */
export function firstDeath(stack: Stack): Promise<string> {
  const deaths = (["edge", "agent", "twin"] as const).map(async (name) => {
    const process = stack[name].current();
    const { code, signal } = await process.exited;
    return `the ${name} ended by itself (${signal ?? `exit ${code}`}):\n${lastWords(process)}`;
  });
  return Promise.race(deaths);
}
