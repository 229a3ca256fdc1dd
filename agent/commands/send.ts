import { createReadStream, statSync } from "node:fs";
import type { Readable } from "node:stream";
import { parseStream } from "../../shared/events/kind.ts";
import { DEFAULT_LIMITS } from "../../shared/wire.ts";
import { type Config, readConfig } from "../config/config.ts";
import { openBuffer } from "../core.ts";
import { createLinesHandler, type LinesHandler } from "../intake/lines-handler.ts";
import { createSchemas } from "../intake/schemas.ts";
import { AgentError, messageOf } from "../runtime/agent-error.ts";
import { reachBuffer } from "./access.ts";
import { type LineChunk, readLineChunks } from "./line-chunks.ts";
import { createProgress, type Progress } from "./progress.ts";
import { type ExitCode, printError, printJson, printLine, type Terminal } from "./terminal.ts";

export interface SendOptions {
  readonly config: string;
  readonly json: boolean;
  readonly stream: string;
  readonly lenient: boolean;
  /** Empty or "-" reads standard input. */
  readonly files: readonly string[];
}

/** Puts NDJSON into the log; returns once all of it is on disk. */
export async function send(options: SendOptions, terminal: Terminal): Promise<ExitCode> {
  if (parseStream(options.stream) === null) {
    throw new AgentError("CONFIG", `--stream ${options.stream}: no stream's name, say usage/METER or persist`);
  }
  const config = readConfig(options.config, terminal.env);
  const access = await reachBuffer(config.buffer.directory, () => openLines(config, terminal), terminal);
  const holder = access.kind === "running" ? access.client : access.own;
  const progress = createProgress(terminal, "sending", "bytes");
  const sent = { accepted: 0, quarantined: 0 };
  try {
    const code = await sendFiles(options, holder.lines, progress, sent, terminal);
    progress.stop();
    if (options.json) printJson(terminal, JSON.stringify({ stream: options.stream, ...sent }));
    else if (code === 0) printLine(terminal, `${sent.accepted} accepted, ${sent.quarantined} quarantined`);
    return code;
  } finally {
    progress.stop();
    await holder.close();
  }
}

/** The handler of lines for a buffer that no agent holds; what goes in is uploaded by the next one that does. */
async function openLines(config: Config, { clock, logger }: Terminal) {
  const log = await openBuffer(config, logger);
  const lines = createLinesHandler({
    log,
    schemas: createSchemas(log),
    clock,
    limits: DEFAULT_LIMITS,
    freshen: async () => {},
    // The command itself says how many at its end.
    onQuarantined: () => {},
  });
  return { lines, close: log.close };
}

interface Sent {
  accepted: number;
  quarantined: number;
}

async function sendFiles(
  options: SendOptions,
  acceptLines: LinesHandler,
  progress: Progress,
  sent: Sent,
  terminal: Terminal,
): Promise<ExitCode> {
  const { stream, lenient } = options;
  const files = options.files.length === 0 ? ["-"] : options.files;
  const total = files.reduce((sum, file) => sum + (file === "-" ? 0 : sizeOf(file)), 0);
  let done = 0;
  for (const file of files) {
    const name = file === "-" ? "stdin" : file;
    try {
      for await (const chunk of readLineChunks(source(file, terminal))) {
        const outcome = await acceptLines({ stream, lines: chunk.lines, lenient });
        const error = noteOutcome(outcome, chunk, stream, sent);
        if (error !== null) {
          progress.stop();
          printError(terminal, `${name}${error}`);
          return 1;
        }
        done += chunk.bytes;
        progress.update(done, Math.max(total, done));
      }
    } catch (error) {
      if (error instanceof AgentError) throw error;
      printError(terminal, `${name}: ${messageOf(error)}`);
      return 1;
    }
  }
  return 0;
}

/** Adds up what was taken; says in words, to follow the file's name, what was not. */
function noteOutcome(
  outcome: Awaited<ReturnType<LinesHandler>>,
  chunk: LineChunk,
  stream: string,
  sent: Sent,
): string | null {
  switch (outcome.kind) {
    case "accepted":
      sent.accepted += outcome.accepted;
      sent.quarantined += outcome.quarantined;
      return null;
    case "bad-line":
      sent.accepted += outcome.accepted;
      return `:${chunk.firstLine + outcome.line}: ${outcome.error.message}`;
    case "unknown-stream":
      return `: the edge has no meter for ${stream}`;
    case "full":
      return `:${chunk.firstLine}: the buffer is full; lines from here on were not accepted`;
  }
}

function source(file: string, terminal: Terminal): Readable {
  return file === "-" ? terminal.stdin : createReadStream(file, { highWaterMark: 1024 * 1024 });
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
