/** `npm run edge`: the edge alone, until a signal ends it. */
import { Command, InvalidArgumentError } from "commander";
import { DEFAULT_LEDGER_FOLDER } from "../local-ledger/ledger-file.ts";
import { CLOSED_PIPE_EXIT_CODE, onClosedPipe } from "../processes/closed-pipe.ts";
import { portIfFree } from "../processes/free-port.ts";

interface Flags {
  readonly port: number;
  readonly persistTo: string;
  readonly var: Readonly<Record<string, string>>;
  readonly inspectorPort?: number;
}

const { port, persistTo, ...rest } = new Command("npm run edge --")
  .description("Runs the edge alone: workerd with D1 and Queues in a folder of this machine.")
  .option("--port <number>", "port on 127.0.0.1, 0 for any free one", portNumber, 8787)
  .option("--persist-to <dir>", "folder that keeps the ledger", DEFAULT_LEDGER_FOLDER)
  .option("--var <name:value>", "a setting, as in wrangler.toml; may be repeated", setting, {})
  .option("--inspector-port <number>", "where workerd's inspector listens, for profiles", portNumber)
  .parse()
  .opts<Flags>();

try {
  await run();
} catch (error) {
  console.error(`npm run edge: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

async function run(): Promise<void> {
  // Before workerd and all that builds the Worker is even loaded: who asked for a taken port hears it at once.
  if ((await portIfFree(port)) === null) throw new Error(`port ${port} is taken; choose another with --port`);
  const { startEdge } = await import("./server.ts");
  const { var: vars, inspectorPort } = rest;
  const edge = await startEdge({ port, persistTo, vars, ...(inspectorPort === undefined ? {} : { inspectorPort }) });
  let ending = false;
  // Miniflare ends the process at a signal with 128 + its number; here a signal is how it is meant to end.
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.removeAllListeners(signal);
  const end = async (code: number) => {
    if (ending) return;
    ending = true;
    await edge.close();
    process.exit(code);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => end(0));
  onClosedPipe(() => void end(CLOSED_PIPE_EXIT_CODE));
  console.log(`edge ready on ${edge.url}`);
}

function portNumber(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0 || number > 65_535)
    throw new InvalidArgumentError("a port is 0 to 65535");
  return number;
}

function setting(text: string, before: Record<string, string>): Record<string, string> {
  const colon = text.indexOf(":");
  if (colon < 1) throw new InvalidArgumentError("write NAME:VALUE");
  return { ...before, [text.slice(0, colon)]: text.slice(colon + 1) };
}
