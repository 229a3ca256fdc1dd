/** An agent of its own for each test: real log, real HTTP, a scripted destination. */
import { readFileSync, writeFileSync } from "node:fs";
import { type Logger, pino } from "pino";
import { type Agent, startAgent } from "../../../agent/agent.ts";
import { type Engine, openThreadEngine } from "../../../agent/buffer/engine.ts";
import type { Operation } from "../../../agent/buffer/transactions/operations.ts";
import { readConfig } from "../../../agent/config/config.ts";
import type { StatusDocument } from "../../../agent/operator/status.ts";
import { type Clock, systemClock } from "../../../agent/runtime/clock.ts";
import { tempDir } from "../../../tools/processes/temp-dir.ts";
import { until } from "../../../tools/processes/until.ts";
import { type Destination, openDestination } from "./destination.ts";

export interface SetupOptions {
  /** TOML lines of the tables by name, over small defaults. */
  readonly upload?: string;
  readonly listen?: string;
  readonly buffer?: string;
  /** Another destination than the scripted one: the lines of its table. */
  readonly destination?: string;
  readonly clock?: Clock;
  /** Beside the keys of destinations. */
  readonly env?: Readonly<Record<string, string>>;
  readonly logger?: Logger;
  /** What the edge answers to GET /schemas; null, and it has none. */
  readonly schemas?: unknown;
  readonly reply?: Destination["reply"];
  /** What is done with a group of the log's operations before it runs. */
  readonly beforeGroup?: (group: readonly Operation[]) => Promise<void>;
}

export interface Setup extends AsyncDisposable {
  readonly agent: Agent;
  readonly destination: Destination;
  readonly directory: string;
  /** Changes the text of the configuration, and has the agent read it again. */
  reconfigure(change: (text: string) => string): void;
  readonly faults: unknown[];
  post(path: string, body: string | Uint8Array, headers?: Record<string, string>): Promise<Response>;
  /** The samples of GET /metrics by name and labels. */
  metrics(): Promise<ReadonlyMap<string, number>>;
  /** Waits until nothing is pending. */
  drained(): Promise<StatusDocument>;
  /** Waits until the status is as wanted. */
  reach(what: string, wanted: (status: StatusDocument) => boolean): Promise<StatusDocument>;
  /** Stops the agent and starts another on the same buffer; `between` is done while none runs. */
  restart(between?: () => void): Promise<void>;
}

export const EVENT = '{"CustomerId":"c1","UsageIdentifier":"u1","UsageDate":"2026-01-02T03:04:05Z","Quantity":1.50}';

/** A valid event that no other is like. */
export function eventNumber(n: number): string {
  return `{"CustomerId":"c${n}","UsageIdentifier":"u","UsageDate":"2026-01-02T03:04:05Z","Quantity":${n}}`;
}

/** Valid events from `first` on. */
export function events(count: number, first = 0): string[] {
  return Array.from({ length: count }, (_, i) => eventNumber(first + i));
}

export async function setup(options: SetupOptions = {}): Promise<Setup> {
  const directory = tempDir("weir-agent");
  const destination = await openDestination();
  destination.schemas = options.schemas ?? null;
  if (options.reply !== undefined) destination.reply = options.reply;
  const faults: unknown[] = [];
  const text = `
    [listen]
    port = 0
    ${options.listen ?? ""}
    [buffer]
    path = "buffer"
    ${options.buffer ?? ""}
    [destination]
    ${options.destination ?? `url = "${destination.url}"\napi_key_env = "KEY"`}
    [upload]
    ${options.upload ?? "linger_ms = 0\nbackoff_base_ms = 1\nbackoff_max_ms = 20"}`;
  const file = `${directory.path}/weir-agent.toml`;
  writeFileSync(file, text);
  const env = { KEY: "test-key", TWIN_KEY: "twin-key", ...options.env };
  const start = () =>
    startAgent({
      config: readConfig(file, env),
      env,
      clock: options.clock ?? systemClock,
      random: Math.random,
      logger: options.logger ?? pino({ level: "silent" }),
      onFatal: (error) => faults.push(error),
      ...(options.beforeGroup === undefined ? {} : { openEngine: heldEngine(options.beforeGroup) }),
    });
  let agent = await start();
  const reach: Setup["reach"] = (what, wanted) =>
    until(
      async () => {
        const status = await agent.status();
        return wanted(status) ? status : null;
      },
      { what },
    );
  return {
    get agent() {
      return agent;
    },
    destination,
    directory: directory.path,
    reconfigure(change) {
      writeFileSync(file, change(readFileSync(file, "utf8")));
      agent.reload();
    },
    faults,
    post: (path, body, headers = {}) =>
      fetch(agent.url + path, {
        method: "POST",
        body: typeof body === "string" ? body : Buffer.from(body),
        headers: { "content-type": "application/json", ...headers },
      }),
    async metrics() {
      const text = await (await fetch(`${agent.url}/metrics`)).text();
      const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
      return new Map(samples.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]));
    },
    drained: () => reach("the buffer to drain", (status) => status.ledger.pending === 0),
    reach,
    async restart(between) {
      await agent.stop();
      between?.();
      agent = await start();
    },
    async [Symbol.asyncDispose]() {
      await agent.stop();
      await destination.close();
      directory.remove();
    },
  };
}

function heldEngine(before: (group: readonly Operation[]) => Promise<void>) {
  return async (options: Parameters<typeof openThreadEngine>[0]): Promise<Engine> => {
    const engine = await openThreadEngine(options);
    return {
      ...engine,
      async run(group) {
        await before(group);
        return engine.run(group);
      },
    };
  };
}
