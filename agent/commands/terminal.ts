/** What a command is handed: its streams, environment, clock and log. */

import type { Readable, Writable } from "node:stream";
import type { Logger } from "pino";
import type { Random } from "../../shared/clock.ts";
import type { Clock } from "../runtime/clock.ts";
import { visible, visibleLines } from "../runtime/visible-text.ts";

/** Where something is printed; a terminal says so, and how wide it is. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

export interface Terminal {
  readonly stdin: Readable;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Log lines left out as repeats so far. */
  readonly suppressedLines: () => number;
}

/** What a command ends with: 0 done, 1 failed, 2 wrong usage or configuration. */
export type ExitCode = 0 | 1 | 2;

/** Prints one line; whatever in it would act on a terminal is written out. */
export function printLine(terminal: Terminal, line: string): void {
  terminal.stdout.write(`${visible(line)}\n`);
}

/** Prints a text whose line breaks are ours. */
export function printLines(terminal: Terminal, text: string): void {
  terminal.stdout.write(`${visibleLines(text)}\n`);
}

/** Prints a document in JSON: for a program as it is, on a terminal with what would act on that written out. */
export function printJson(terminal: Terminal, text: string): void {
  terminal.stdout.write(`${jsonFor(terminal.stdout, text)}\n`);
}

/** As {@link printJson} writes it. */
export function jsonFor(output: Output, text: string): string {
  return output.isTTY === true ? visibleLines(text) : text;
}

/** Writes to standard output, no faster than it is read. @returns false once its reader has gone. */
export async function writeOut({ stdout }: Terminal, text: string): Promise<boolean> {
  if (!stdout.writable) return false;
  if (!stdout.write(text)) await drained(stdout);
  return stdout.writable;
}

const ENDS_OF_WAITING = ["drain", "close", "error"] as const;

function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      for (const name of ENDS_OF_WAITING) stream.off(name, end);
      resolve();
    };
    for (const name of ENDS_OF_WAITING) stream.on(name, end);
  });
}

export function printError(terminal: Terminal, line: string): void {
  terminal.stderr.write(`weir-agent: ${visible(line)}\n`);
}

/** As {@link printError}, of a text whose line breaks are ours. */
export function printErrorLines(terminal: Terminal, text: string): void {
  terminal.stderr.write(`weir-agent: ${visibleLines(text)}\n`);
}
