import { readConfig } from "../config/config.ts";
import { startCore } from "../core.ts";
import type { StatusDocument } from "../operator/status.ts";
import { reachBuffer } from "./access.ts";
import { createProgress } from "./progress.ts";
import { type ExitCode, printError, printJson, printLine, type Terminal } from "./terminal.ts";

export interface DrainOptions {
  readonly config: string;
  readonly json: boolean;
  /** Seconds; null waits as long as it takes. */
  readonly timeout: number | null;
}

interface Drainable {
  status(): Promise<StatusDocument>;
  close(): Promise<void>;
}

const LOOK_EVERY_MS = 100;
/** A paused destination may have been paused before the cause was mended: a first probe is given this long. */
const PAUSE_PATIENCE_MS = 2000;

/** Waits until nothing is pending, uploading itself where no agent runs. */
export async function drain(options: DrainOptions, terminal: Terminal): Promise<ExitCode> {
  const config = readConfig(options.config, terminal.env);
  const failed = new AbortController();
  const open = async (): Promise<Drainable> => {
    const { env, clock, random, logger } = terminal;
    const core = await startCore({ config, env, clock, random, logger, onFatal: () => failed.abort() });
    const close = async () => {
      await core.tidy();
      await core.stop();
    };
    return { status: core.status, close };
  };
  const access = await reachBuffer(config.buffer.directory, open, terminal);
  const drainable = access.kind === "running" ? access.client : access.own;
  try {
    return await waitUntilEmpty(drainable, options, terminal, failed.signal);
  } finally {
    await drainable.close();
  }
}

async function waitUntilEmpty(
  drainable: Drainable,
  options: DrainOptions,
  terminal: Terminal,
  failed: AbortSignal,
): Promise<ExitCode> {
  const { clock } = terminal;
  const progress = createProgress(terminal, "draining", "events");
  const endOf = watchEnd(options.timeout, terminal, failed);
  const reported = new Set<string>();
  try {
    for (;;) {
      const status = await drainable.status();
      const { pending, delivered } = status.ledger;
      const reason = waitingReason(status);
      const end = endOf(status, reason);
      if (end !== null || (reason !== null && !reported.has(reason))) progress.stop();
      if (end !== null) return finish(end.code, status, end.message, options, terminal);
      if (reason !== null && !reported.has(reason)) printError(terminal, `events wait: ${reason}`);
      if (reason !== null) reported.add(reason);
      progress.update(delivered, delivered + pending, reason === null ? null : "waiting");
      await clock.sleep(LOOK_EVERY_MS, failed);
    }
  } finally {
    progress.stop();
  }
}

interface End {
  readonly code: ExitCode;
  readonly message: string;
}

/** Tells from one status after the other when there is nothing more to wait for; null until then. */
function watchEnd(timeout: number | null, { clock }: Terminal, failed: AbortSignal) {
  const started = clock.tick();
  let pausedAt: number | null = null;
  return (status: StatusDocument, reason: string | null): End | null => {
    const { pending } = status.ledger;
    if (pending === 0) return { code: 0, message: "drained" };
    const { state, last_error: error } = status.destination;
    pausedAt = state === "paused" ? (pausedAt ?? clock.tick()) : null;
    if (pausedAt !== null && clock.tick() - pausedAt >= PAUSE_PATIENCE_MS) {
      return { code: 1, message: `uploads are paused: ${error}` };
    }
    if (failed.aborted) return { code: 1, message: "the buffer failed" };
    if (timeout === null || clock.tick() - started < timeout * 1000) return null;
    return { code: 1, message: `${pending} events still pending after ${timeout} s: ${reason ?? streamsText(status)}` };
  };
}

/** Why nothing goes out, as the destination's state says it; null while it takes events. */
function waitingReason({ destination: { state, last_error: error } }: StatusDocument): string | null {
  if (state === null || state === "ok") return null;
  const name = state === "backing_off" ? "backing off" : state;
  return error === null ? `the destination is ${name}` : `the destination is ${name}: ${error}`;
}

const STREAMS_NAMED_MAX = 5;

/** Where events wait though the destination takes others: a stream may be refused there by itself. */
function streamsText({ streams }: StatusDocument): string {
  const waiting = streams.filter(({ ledger }) => ledger.pending > 0);
  const named = waiting.slice(0, STREAMS_NAMED_MAX).map(({ stream, ledger }) => `${ledger.pending} of ${stream}`);
  return [...named, ...(waiting.length > named.length ? ["others"] : [])].join(", ");
}

function finish(
  code: ExitCode,
  { ledger }: StatusDocument,
  message: string,
  { json }: DrainOptions,
  terminal: Terminal,
): ExitCode {
  if (json) printJson(terminal, JSON.stringify({ drained: code === 0, message, ledger }));
  else if (code === 0)
    printLine(terminal, `${message}: ${ledger.delivered} delivered, ${ledger.quarantined} in quarantine`);
  else printError(terminal, message);
  return code;
}
