import { type BufferView, peekBuffer } from "../buffer/disk/peek.ts";
import { sumLedgers } from "../buffer/log.ts";
import { type Config, readConfig } from "../config/config.ts";
import { ageS, bytesIn, type StatusDocument, streamStatusOf } from "../operator/status.ts";
import { AgentError } from "../runtime/agent-error.ts";
import { reachBuffer } from "./access.ts";
import { type Rate, statusScreen } from "./status-screen.ts";
import { type ExitCode, printJson, type Terminal } from "./terminal.ts";

export interface StatusOptions {
  readonly config: string;
  readonly json: boolean;
  /** Draw it anew each second until interrupted. */
  readonly watch: boolean;
}

const WATCH_MS = 1000;

/** Prints what GET /status tells, with or without a running agent: JSON, or on a terminal a screen to read. */
export async function status(options: StatusOptions, terminal: Terminal): Promise<ExitCode> {
  const config = readConfig(options.config, terminal.env);
  const isTerminal = terminal.stdout.isTTY === true;
  if (!options.watch) {
    const document = await lookAt(config, terminal);
    if (isTerminal && !options.json)
      terminal.stdout.write(statusScreen(document, null, isTerminal, columnsOf(terminal)));
    else printJson(terminal, JSON.stringify(document, null, options.json ? 0 : 2));
    return 0;
  }
  const stopped = new AbortController();
  const stop = () => stopped.abort();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  let before: StatusDocument | null = null;
  while (!stopped.signal.aborted && terminal.stdout.writable) {
    const document: StatusDocument = await lookAt(config, terminal);
    const rate = before === null ? null : rateOf(before, document);
    if (options.json) printJson(terminal, JSON.stringify(document));
    else
      terminal.stdout.write(
        `${isTerminal ? CLEAR : ""}${statusScreen(document, rate, isTerminal, columnsOf(terminal))}`,
      );
    before = document;
    await terminal.clock.sleep(WATCH_MS, stopped.signal);
  }
  return 0;
}

/** Looked up each time: a window may be made wider or narrower. */
function columnsOf({ stdout }: Terminal): number {
  return stdout.columns ?? Infinity;
}

const CLEAR = "\u001b[H\u001b[2J";

function rateOf(before: StatusDocument, now: StatusDocument): Rate {
  const perSecond = (state: "accepted" | "delivered") => ((now.ledger[state] - before.ledger[state]) * 1000) / WATCH_MS;
  return { accepted: perSecond("accepted"), delivered: perSecond("delivered") };
}

async function lookAt(config: Config, terminal: Terminal): Promise<StatusDocument> {
  const open = () => restingStatus(config, terminal.clock.now());
  const access = await reachBuffer(config.buffer.directory, open, terminal);
  if (access.kind === "own") return access.own;
  try {
    return await access.client.status();
  } finally {
    await access.client.close();
  }
}

async function restingStatus(config: Config, nowMs: number): Promise<StatusDocument> {
  const { directory, bytesMax } = config.buffer;
  const view = viewOf(directory);
  return {
    producer: view?.producer ?? null,
    running: false,
    ledger: sumLedgers(view?.ledgers ?? []),
    buffer: {
      bytes: view === null ? 0 : await bytesIn(directory),
      max_bytes: bytesMax,
      oldest_s: view === null || view.oldest === null ? null : ageS(view.oldest, nowMs),
      hours_left: null,
    },
    destination: { state: null, last_error: null, next_attempt_s: null },
    streams: (view?.ledgers ?? []).map(streamStatusOf),
    delivery: null,
  };
}

function viewOf(directory: string): BufferView | null {
  try {
    return peekBuffer(directory);
  } catch (error) {
    if (error instanceof AgentError && error.code === "BUFFER_ABSENT") return null;
    throw error;
  }
}
