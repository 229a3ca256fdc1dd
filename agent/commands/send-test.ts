import { readFileSync } from "node:fs";
import { buffer } from "node:stream/consumers";
import { readConfig } from "../config/config.ts";
import { startCore } from "../core.ts";
import { splitLines } from "../intake/lines.ts";
import type { TestOutcome } from "../operator/test-event.ts";
import { AgentError } from "../runtime/agent-error.ts";
import { reachBuffer } from "./access.ts";
import type { SendOptions } from "./send.ts";
import { type ExitCode, printError, printJson, printLine, type Terminal } from "./terminal.ts";

const TIMEOUT_MS = 20_000;

/** Sends one event through to the destination and shows where it went; 1 where it did not arrive. */
export async function sendTest(options: SendOptions, terminal: Terminal): Promise<ExitCode> {
  const config = readConfig(options.config, terminal.env);
  const event = await oneEvent(options, terminal);
  const open = () => startCore({ config, ...terminal, onFatal: (error) => terminal.logger.fatal({ err: error }) });
  const access = await reachBuffer(config.buffer.directory, open, terminal);
  const request = { stream: options.stream, event, timeoutMs: TIMEOUT_MS };
  let outcome: TestOutcome;
  if (access.kind === "running") {
    outcome = await access.client.test(request).finally(access.client.close);
  } else {
    outcome = await access.own.test(request).finally(access.own.stop);
  }
  if (options.json) printJson(terminal, JSON.stringify(outcome));
  else print(outcome, config.destination.url, terminal);
  return outcome.kind === "followed" && outcome.end === "delivered" ? 0 : 1;
}

async function oneEvent({ files, stream }: SendOptions, { stdin }: Terminal): Promise<Uint8Array> {
  const [file = "-"] = files;
  const bytes = file === "-" ? await buffer(stdin) : readFileSync(file);
  const events = splitLines(bytes).filter((line) => Buffer.from(line).toString("utf8").trim() !== "");
  const [event] = events;
  if (event !== undefined && events.length === 1 && files.length <= 1) return event;
  const given = files.length > 1 ? `${files.length} files` : `${events.length} lines`;
  const form = `a file, or echo '{…}' | weir-agent send --test --stream ${stream}`;
  throw new AgentError("CONFIG", `--test sends exactly one event, given were ${given}: ${form}`);
}

function print(outcome: TestOutcome, url: string, terminal: Terminal): void {
  if (outcome.kind === "refused") {
    printError(terminal, `not accepted: ${outcome.message}`);
    return;
  }
  const { end, stream, position, producer, seconds, answer, reason } = outcome;
  printLine(terminal, `accepted   ${outcome.accepted_at}, on disk`);
  printLine(terminal, `position   ${position} of ${stream}, producer ${producer}`);
  const where = { delivered: "yes, to", quarantined: "no, in quarantine here; refused by", waiting: "not yet, to" }[
    end
  ];
  printLine(terminal, `delivered  ${where} ${url} after ${seconds} s`);
  printLine(terminal, `answer     ${answer ?? "none"}`);
  if (reason !== null) printError(terminal, `the event waits in the buffer and will be sent later: ${reason}`);
}
