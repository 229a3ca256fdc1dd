import { once } from "node:events";
import { createWriteStream, readFileSync } from "node:fs";
import { finished } from "node:stream/promises";
import { DEFAULT_LIMITS } from "../../shared/wire.ts";
import { type Config, readConfig } from "../config/config.ts";
import { connectControl } from "../control/client.ts";
import { openBuffer } from "../core.ts";
import { createSchemas } from "../intake/schemas.ts";
import {
  type CorrectedIds,
  createQuarantine,
  type Quarantine,
  type QuarantineItem,
  type ReleaseResult,
} from "../operator/quarantine.ts";
import { laneText } from "../operator/status.ts";
import { AgentError, messageOf } from "../runtime/agent-error.ts";
import { visible } from "../runtime/visible-text.ts";
import { idsOf } from "../upload/lane-log.ts";
import type { WithdrawFilter, WithdrawnLane } from "../upload/withdrawal.ts";
import { reachBuffer } from "./access.ts";
import { findHeld, type QuarantineFilter, releaseAll } from "./quarantine-bulk.ts";
import { type ExitCode, jsonFor, printError, printJson, printLine, type Terminal, writeOut } from "./terminal.ts";

export interface QuarantineCommandOptions {
  readonly config: string;
  readonly json: boolean;
}

const PAGE = 200;

/** Prints the held events: an array as JSON, a line each on a terminal. */
export function list(options: QuarantineCommandOptions, terminal: Terminal): Promise<ExitCode> {
  return withQuarantine(options, terminal, async (quarantine) => {
    const asTable = terminal.stdout.isTTY === true && !options.json;
    let first = true;
    for await (const item of held(quarantine)) {
      const text = asTable
        ? `${lineOf(JSON.parse(item) as QuarantineItem)}\n`
        : `${first ? "[" : ",\n "}${jsonFor(terminal.stdout, item)}`;
      if (!(await writeOut(terminal, text))) return 0;
      first = false;
    }
    if (asTable && first) printLine(terminal, "nothing is in quarantine");
    if (!asTable) printLine(terminal, first ? "[]" : "]");
    return 0;
  });
}

export function show(options: QuarantineCommandOptions & { id: number }, terminal: Terminal): Promise<ExitCode> {
  return withQuarantine(options, terminal, async (quarantine) => {
    const item = await quarantine.show(options.id);
    if (item === null) return unknown(options.id, terminal);
    printJson(terminal, item);
    return 0;
  });
}

/** What becomes of all that a filter finds. */
export type BulkAct =
  | { readonly kind: "retry"; readonly ids: CorrectedIds }
  | { readonly kind: "discard"; readonly reason: string };

const BULK_WORDS = {
  retry: { verb: "retried", done: "wait to be sent again" },
  discard: { verb: "discarded", done: "discarded, on record" },
} as const;

/** Sends again, or gives up, all that a filter finds. */
export function actOnAll(
  options: QuarantineCommandOptions & { filter: QuarantineFilter; act: BulkAct },
  terminal: Terminal,
): Promise<ExitCode> {
  const { filter, act, json } = options;
  return withQuarantine(options, terminal, async (quarantine) => {
    const release = (id: number) =>
      act.kind === "retry" ? quarantine.retry(id, null, act.ids) : quarantine.discard(id, act.reason);
    return releaseAll(await findHeld(quarantine, filter), { ...BULK_WORDS[act.kind], json }, release, terminal);
  });
}

/** Takes what waits in lanes that are refused into quarantine. Only a running agent knows which lanes wait. */
export async function withdraw(
  options: QuarantineCommandOptions & { filter: WithdrawFilter },
  terminal: Terminal,
): Promise<ExitCode> {
  const client = await connectControl(readConfig(options.config, terminal.env).buffer.directory);
  if (client === null) {
    printError(terminal, "no agent runs: which events wait by themselves is known to a running one");
    return 1;
  }
  try {
    const lanes = await client.withdraw(options.filter);
    if (options.json) printJson(terminal, JSON.stringify(lanes.map(withdrawnText)));
    else if (lanes.length === 0) printLine(terminal, "nothing waits by itself there");
    else {
      for (const lane of lanes) {
        const left =
          lane.left === 0 ? "" : `; ${lane.left} stay: a call with them is under way or may have been accepted`;
        const full = lane.isFull ? "; the disk is full" : "";
        printLine(
          terminal,
          `${laneText(lane.stream, idsOf(lane.scope))}: ${lane.count} events in quarantine${left}${full}`,
        );
      }
    }
    return lanes.some(({ isFull }) => isFull) ? 1 : 0;
  } finally {
    await client.close();
  }
}

function withdrawnText({ stream, scope, count, left }: WithdrawnLane): object {
  return { stream, ...idsOf(scope), withdrawn: count, left };
}

/** @param options.event a file with the corrected event, "-" for standard input, null to send it as it is. */
export function retry(
  options: QuarantineCommandOptions & { id: number; event: string | null; ids: CorrectedIds },
  terminal: Terminal,
): Promise<ExitCode> {
  return withQuarantine(options, terminal, async (quarantine) => {
    const corrected = options.event === null ? null : await readEvent(options.event, terminal);
    return report(
      await quarantine.retry(options.id, corrected, options.ids),
      options,
      "waits to be sent again",
      terminal,
    );
  });
}

export function discard(
  options: QuarantineCommandOptions & { id: number; reason: string },
  terminal: Terminal,
): Promise<ExitCode> {
  return withQuarantine(options, terminal, async (quarantine) =>
    report(await quarantine.discard(options.id, options.reason), options, "discarded, on record", terminal),
  );
}

/** Writes the held events as NDJSON. */
export function exportHeld(
  options: QuarantineCommandOptions & { out: string | null },
  terminal: Terminal,
): Promise<ExitCode> {
  return withQuarantine(options, terminal, async (quarantine) => {
    if (options.out === null) {
      for await (const item of held(quarantine))
        if (!(await writeOut(terminal, `${jsonFor(terminal.stdout, item)}\n`))) break;
      return 0;
    }
    const out = createWriteStream(options.out, { mode: 0o600 });
    let count = 0;
    try {
      await once(out, "open");
      for await (const item of held(quarantine)) {
        if (!out.write(`${item}\n`)) await once(out, "drain");
        count++;
      }
      out.end();
      await finished(out);
    } catch (error) {
      printError(terminal, `cannot write ${options.out}: ${messageOf(error)}`);
      return 1;
    }
    printLine(terminal, `${count} events written to ${options.out}`);
    return 0;
  });
}

async function* held(quarantine: Quarantine): AsyncGenerator<string> {
  for (let after = 0; ; ) {
    const page = await quarantine.list("held", after, PAGE);
    if (page.length === 0) return;
    yield* page;
    after = (JSON.parse(page.at(-1) ?? "{}") as QuarantineItem).id;
  }
}

async function withQuarantine(
  { config: file }: QuarantineCommandOptions,
  terminal: Terminal,
  act: (quarantine: Quarantine) => Promise<ExitCode>,
): Promise<ExitCode> {
  const config = readConfig(file, terminal.env);
  const access = await reachBuffer(config.buffer.directory, () => openOwn(config, terminal), terminal);
  const holder = access.kind === "running" ? access.client : access.own;
  try {
    return await act(holder.quarantine);
  } finally {
    await holder.close();
  }
}

async function openOwn(config: Config, { logger }: Terminal) {
  const log = await openBuffer(config, logger);
  const quarantine = createQuarantine({ log, schemas: createSchemas(log), limits: DEFAULT_LIMITS });
  return { quarantine, close: log.close };
}

async function readEvent(file: string, terminal: Terminal): Promise<Uint8Array> {
  if (file === "-") return Buffer.concat(await terminal.stdin.toArray());
  try {
    return readFileSync(file);
  } catch (error) {
    throw new AgentError("INVALID_EVENT", `--event ${file}: ${messageOf(error)}`, { cause: error });
  }
}

function report(
  result: ReleaseResult,
  { id, json }: QuarantineCommandOptions & { id: number },
  done: string,
  terminal: Terminal,
): ExitCode {
  switch (result.kind) {
    case "released":
      if (json) printJson(terminal, JSON.stringify({ id, stream: result.stream, position: result.position }));
      else printLine(terminal, `${id}: ${result.stream}, position ${result.position}: ${done}`);
      return 0;
    case "unknown":
      return unknown(id, terminal);
    case "not-held":
      printError(terminal, `${id} is held no longer: it was ${result.state} before`);
      return 1;
    case "invalid":
      printError(terminal, `${id}: ${result.message}`);
      return 1;
    case "full":
      printError(terminal, "the disk is full: nothing was changed");
      return 1;
  }
}

function unknown(id: number, terminal: Terminal): ExitCode {
  printError(terminal, `there is no ${id} in quarantine; \`weir-agent quarantine list\` names those there are`);
  return 1;
}

function lineOf({ id, stream, position, reason, event, attempts }: QuarantineItem): string {
  const text = JSON.stringify(event);
  const shown = text.length > 80 ? `${text.slice(0, 79)}…` : text;
  const again = attempts === 0 ? "" : `  retried ${attempts === 1 ? "once" : `${attempts} times`}`;
  const head = `${String(id).padStart(5)}  ${stream}  position ${position}${again}  ${reason.status} ${reason.message}`;
  return `${visible(head)}\n       ${visible(shown)}`;
}
