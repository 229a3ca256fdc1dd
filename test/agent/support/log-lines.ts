/** A log whose lines a test can read. */
import { Writable } from "node:stream";
import { type Logger, type LoggerOptions, pino } from "pino";

export type LogLine = Readonly<Record<string, unknown>> & {
  readonly level: number;
  readonly msg: string;
  readonly suppressed?: number;
};

export interface LogLines {
  readonly logger: Logger;
  readonly lines: LogLine[];
}

export function logLines(hooks: NonNullable<LoggerOptions["hooks"]> = {}): LogLines {
  const lines: LogLine[] = [];
  const sink = new Writable({
    write(chunk, _, done) {
      for (const text of String(chunk).trim().split("\n")) lines.push(JSON.parse(text) as LogLine);
      done();
    },
  });
  return { lines, logger: pino({ base: null, timestamp: false, hooks }, sink) };
}
