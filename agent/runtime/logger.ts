/** Where log lines go and how they look: for people on a terminal, JSON with times of ISO 8601 everywhere else. */
import type { Writable } from "node:stream";
import pc from "picocolors";
import { type DestinationStream, destination, type Logger, type LoggerOptions, pino, stdTimeFunctions } from "pino";
import { visible } from "./visible-text.ts";

export interface LoggerWishes {
  readonly level: "info" | "warn";
  readonly hooks: NonNullable<LoggerOptions["hooks"]>;
  readonly stream: Writable & { readonly isTTY?: boolean };
}

/** @param stream whether it is a terminal decides the form. */
export function createLogger({ level, hooks, stream }: LoggerWishes): Logger {
  const options = { level, hooks, timestamp: stdTimeFunctions.isoTime };
  if (stream.isTTY === true) return pino({ ...options, base: null }, prettyInto(stream));
  // Written as they come: a crash must not take the last lines with it.
  return pino(options, destination({ dest: 2, sync: true }));
}

/** A progress bar may stand on the line; it is drawn again below. */
const CLEAR_LINE = "\r\u001b[K";

/** A terminal takes what is written before `write` returns, so nothing of a line is lost here either. */
function prettyInto(stream: Writable): DestinationStream {
  return { write: (line) => void stream.write(`${CLEAR_LINE}${prettyLine(line, pc.isColorSupported)}`) };
}

const NAMES: Readonly<Record<number, string>> = {
  10: "TRACE",
  20: "DEBUG",
  30: "INFO",
  40: "WARN",
  50: "ERROR",
  60: "FATAL",
};

/**
 * A line of JSON as people read it: `14:03:09 WARN  stream paused  stream=usage/m`, the time by this machine's own zone.
 * @param line as pino writes it, its newline included.
 */
export function prettyLine(line: string, colors: boolean): string {
  const { time, level, msg, err, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const { dim, red, yellow, green } = pc.createColors(colors);
  const number = Number(level);
  const paint = number >= 50 ? red : number >= 40 ? yellow : green;
  const name = (NAMES[number] ?? String(level)).padEnd(5);
  const rest = Object.entries(fields).map(([key, value]) => `${dim(`${visible(key)}=`)}${visible(fieldText(value))}`);
  const head = [dim(timeText(String(time))), paint(name), visible(String(msg ?? "")), ...rest].join(" ");
  return `${head.trimEnd()}\n${errorLines(err)
    .map((text) => `  ${dim(visible(text))}\n`)
    .join("")}`;
}

function timeText(iso: string): string {
  const at = new Date(iso);
  const two = (value: number) => String(value).padStart(2, "0");
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
}

/** Without quotes where a word is clear without them. */
function fieldText(value: unknown): string {
  if (typeof value === "string" && /^[^\s"=]+$/.test(value)) return value;
  return JSON.stringify(value) ?? String(value);
}

/** An error's message and stack, as pino serialized them. */
function errorLines(err: unknown): string[] {
  if (typeof err !== "object" || err === null) return [];
  const { stack, message } = err as { stack?: unknown; message?: unknown };
  return String(stack ?? message ?? "").split("\n");
}
