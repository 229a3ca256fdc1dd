/** An agent's process and the destination it sends to, for one test. */
import { onTestFinished } from "vitest";
import type { StatusDocument } from "../../../agent/operator/status.ts";
import { until } from "../../../tools/processes/until.ts";
import { type Cli, cli } from "./cli.ts";
import { type Destination, openDestination } from "./destination.ts";

export interface Running {
  readonly agent: Cli;
  readonly destination: Destination;
  /** What arrived, in no order. */
  arrived(): string[];
  status(url: string): Promise<StatusDocument>;
  drained(url: string): Promise<StatusDocument>;
}

/** A command line configured for a destination of its own, both ended with the test. */
export async function commandLine(): Promise<Pick<Running, "agent" | "destination">> {
  const destination = await openDestination();
  const agent = cli(destination.url);
  onTestFinished(async () => {
    await agent[Symbol.asyncDispose]();
    await destination.close();
  });
  return { agent, destination };
}

/** @param more further TOML, in tables of its own. */
export async function running(more = ""): Promise<Running> {
  const { agent, destination } = await commandLine();
  agent.configure(destination.url, more);
  const status = async (url: string) => (await (await fetch(`${url}/status`)).json()) as StatusDocument;
  return {
    agent,
    destination,
    arrived: () => [...destination.taken.values()],
    status,
    drained: (url) =>
      until(
        async () => {
          const found = await status(url);
          return found.ledger.pending === 0 && found;
        },
        { what: "the buffer to drain", timeoutMs: 120_000 },
      ),
  };
}
