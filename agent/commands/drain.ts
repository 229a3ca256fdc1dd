import { readConfig } from "../config/config.ts";
import { startCore } from "../core.ts";
import type { StatusDocument } from "../operator/status.ts";
import { reachBuffer } from "./access.ts";
import { createProgress } from "./progress.ts";
import { type ExitCode, printError, printLine, type Terminal } from "./terminal.ts";

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
  const faulted = new AbortController();
  const open = async (): Promise<Drainable> => {
    const { env, clock, random, logger } = terminal;
    const core = await startCore({ config, env, clock, random, logger, onFault: () => faulted.abort() });
    const close = async () => {
      await core.tidy();
      await core.stop();
    };
    return { status: core.status, close };
  };
  const access = await reachBuffer(config.buffer.directory, open, terminal);
  const drainable = access.kind === "running" ? access.client : access.own;
  try {
    return await waitUntilEmpty(drainable, options, terminal, faulted.signal);
  } finally {
    await drainable.close();
  }
}

async function waitUntilEmpty(
  drainable: Drainable,
  options: DrainOptions,
  terminal: Terminal,
  faulted: AbortSignal,
): Promise<ExitCode> {
  const { clock } = terminal;
  const started = clock.tick();
  const progress = createProgress(terminal, "draining", "events");
  let pausedAt: number | null = null;
  try {
    for (;;) {
      const status = await drainable.status();
      const { pending, delivered } = status.ledger;
      progress.update(delivered, delivered + pending);
      if (pending === 0) return finish(0, status, "drained", options, terminal);
      const { state, last_error } = status.destination;
      pausedAt = state === "paused" ? (pausedAt ?? clock.tick()) : null;
      if (pausedAt !== null && clock.tick() - pausedAt >= PAUSE_PATIENCE_MS) {
        return finish(1, status, `uploads are paused: ${last_error}`, options, terminal);
      }
      if (faulted.aborted) return finish(1, status, "the buffer failed", options, terminal);
      if (options.timeout !== null && clock.tick() - started >= options.timeout * 1000) {
        return finish(1, status, `${pending} events still pending after ${options.timeout} s`, options, terminal);
      }
      await clock.sleep(LOOK_EVERY_MS, faulted);
    }
  } finally {
    progress.stop();
  }
}

function finish(
  code: ExitCode,
  { ledger }: StatusDocument,
  message: string,
  { json }: DrainOptions,
  terminal: Terminal,
): ExitCode {
  if (json) printLine(terminal, JSON.stringify({ drained: code === 0, message, ledger }));
  else if (code === 0)
    printLine(terminal, `${message}: ${ledger.delivered} delivered, ${ledger.quarantined} in quarantine`);
  else printError(terminal, message);
  return code;
}
