import { sumLedgers } from "../buffer/log.ts";
import { type BufferView, peekBuffer } from "../buffer/peek.ts";
import { type Config, readConfig } from "../config.ts";
import { AgentFault } from "../fault.ts";
import { ageS, bytesIn, type StatusDocument, streamStatusOf } from "../status.ts";
import { reachBuffer } from "./access.ts";
import { type ExitCode, printLine, type Terminal } from "./terminal.ts";

export interface StatusOptions {
  readonly config: string;
  readonly json: boolean;
}

/** Prints what GET /status tells, with or without a running agent. */
export async function status(options: StatusOptions, terminal: Terminal): Promise<ExitCode> {
  const config = readConfig(options.config);
  const access = await reachBuffer(
    config.buffer.directory,
    () => restingStatus(config, terminal.clock.now()),
    terminal,
  );
  const document = access.kind === "running" ? await access.client.status() : access.own;
  if (access.kind === "running") await access.client.close();
  printLine(terminal, JSON.stringify(document, null, options.json ? 0 : 2));
  return 0;
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
  };
}

function viewOf(directory: string): BufferView | null {
  try {
    return peekBuffer(directory);
  } catch (error) {
    if (error instanceof AgentFault && error.code === "BUFFER_ABSENT") return null;
    throw error;
  }
}
