/** `npm run edge`: the edge alone, until a signal ends it. */
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { ROOT, startEdge } from "./server.ts";

const command = new Command("edge")
  .description("Runs the edge alone: workerd with D1 and Queues in a folder of this machine.")
  .option("--port <number>", "port on 127.0.0.1, 0 for any free one", port, 8787)
  .option("--persist-to <dir>", "folder that keeps the ledger", join(ROOT, ".weir/edge"))
  .option("--var <name:value>", "a setting, as in wrangler.toml; may be repeated", setting, {})
  .parse();
const options = command.opts<{ port: number; persistTo: string; var: Record<string, string> }>();

const edge = await startEdge({ port: options.port, persistTo: options.persistTo, vars: options.var });
let ending = false;
// Miniflare ends the process at a signal with 128 + its number; here a signal is how it is meant to end.
for (const signal of ["SIGTERM", "SIGINT"] as const) process.removeAllListeners(signal);
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, async () => {
    if (ending) return;
    ending = true;
    await edge.close();
    process.exit(0);
  });
}
console.log(`edge ready on ${edge.url}`);

function port(text: string): number {
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
