/** A command line run within the test's own process: quick, and on a terminal if wished. */
import { PassThrough } from "node:stream";
import { main } from "../../../agent/main.ts";
import { systemClock } from "../../../agent/runtime/clock.ts";
import { logLines } from "./log-lines.ts";

export interface Printed {
  readonly code: 0 | 1 | 2;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param terminal its width in columns; null where what is printed goes into a file. */
export async function runInProcess(
  args: readonly string[],
  {
    env = {},
    terminal = null,
    stdin = "",
  }: { env?: Record<string, string>; terminal?: number | null; stdin?: string } = {},
): Promise<Printed> {
  const [stdout, stderr] = [new PassThrough({ highWaterMark: 1e6 }), new PassThrough({ highWaterMark: 1e6 })];
  if (terminal !== null)
    for (const stream of [stdout, stderr]) Object.assign(stream, { isTTY: true, columns: terminal });
  const input = new PassThrough();
  input.end(stdin);
  const rest = { clock: systemClock, random: Math.random, logger: logLines().logger, suppressedLines: () => 0 };
  const code = await main(args, { stdin: input, stdout, stderr, ...rest, env: { KEY: "key", ...env } });
  return { code, stdout: String(stdout.read() ?? ""), stderr: String(stderr.read() ?? "") };
}
