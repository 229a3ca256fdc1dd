/** The command line's grammar: commands, options and their help. */
import { Command, InvalidArgumentError } from "commander";
import { sampleText } from "../config/sample.ts";
import type { CorrectedIds } from "../operator/quarantine.ts";
import { VERSION } from "../runtime/version.ts";
import { visibleLines } from "../runtime/visible-text.ts";
import { audit } from "./audit.ts";
import { check } from "./check.ts";
import { drain } from "./drain.ts";
import * as quarantine from "./quarantine.ts";
import { run } from "./run.ts";
import { send } from "./send.ts";
import { sendTest } from "./send-test.ts";
import { status } from "./status.ts";
import { type ExitCode, printError, type Terminal } from "./terminal.ts";

const DEFAULT_CONFIG = "weir-agent.toml";

/** @param end takes the code that a command ends with. */
export function createProgram(terminal: Terminal, end: (code: ExitCode) => void): Command {
  const program = new Command("weir-agent")
    .version(VERSION, "--version", "print the version")
    .description("Takes usage events on this machine, keeps them on disk, delivers each exactly once to the edge.")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void terminal.stdout.write(visibleLines(text)),
      writeErr: (text) => void terminal.stderr.write(visibleLines(text)),
    });
  const command = (name: string, description: string) =>
    program.command(name).description(description).option("--config <file>", "configuration file", DEFAULT_CONFIG);

  command("run", "run the agent until SIGTERM").action(async ({ config }: { config: string }) => {
    end(await run({ config }, terminal));
  });
  command("send", "put events from NDJSON files or standard input into the buffer")
    .argument("[file...]", "files of one event a line; none or - for standard input")
    .requiredOption("--stream <name>", "usage/METER, persist, charge, adjustment or meter-data")
    .option("--test", "send one event through to the destination and show where it went; 1 if it did not arrive", false)
    .option("--lenient", "quarantine bad lines instead of stopping at the first", false)
    .option("--json", "print the result as JSON", false)
    .action(
      async (
        files: string[],
        options: { config: string; stream: string; lenient: boolean; json: boolean; test: boolean },
      ) => {
        const act = options.test ? sendTest : send;
        end(await act({ ...options, files }, terminal));
      },
    );
  command("status", "print what GET /status tells, also when no agent runs")
    .option("--json", "on one line", false)
    .option("--watch", "a live view, until interrupted", false)
    .action(async (options: { config: string; json: boolean; watch: boolean }) => {
      end(await status(options, terminal));
    });
  command("drain", "wait until the buffer is empty, uploading where no agent runs")
    .option("--timeout <seconds>", "give up after this long", parseSeconds)
    .option("--json", "print the result as JSON", false)
    .action(async ({ timeout, ...options }: { config: string; json: boolean; timeout?: number }) => {
      end(await drain({ ...options, timeout: timeout ?? null }, terminal));
    });
  program
    .command("sample")
    .description("print a configuration with every setting explained")
    .action(() => void terminal.stdout.write(sampleText()));
  command("check", "check configuration, disk, buffer, destination and credentials")
    .option("--json", "print the findings as JSON", false)
    .action(async (options: { config: string; json: boolean }) => {
      end(await check(options, terminal));
    });
  command("audit", "hold this ledger against the edge's, naming each missing or extra position")
    .option("--repair", "send again what the edge lacks, as far as it is still kept here", false)
    .option("--json", "print the comparison as JSON", false)
    .action(async (options: { config: string; json: boolean; repair: boolean }) => {
      end(await audit(options, terminal));
    });
  addQuarantine(program, terminal, end);
  return program.addHelpText("after", HELP);
}

const HELP = `
Examples:
  weir-agent sample > weir-agent.toml                 every setting explained, to begin with
  weir-agent check                                    what is wrong, before anything runs
  weir-agent run                                      take events on http://127.0.0.1:8788, deliver them
  weir-agent send --stream usage/web-egress day.ndjson
  weir-agent send --test --stream usage/web-egress one.ndjson   does an event arrive?
  weir-agent status --watch                           a live view
  weir-agent quarantine list                          events nobody takes as they are, and why
  weir-agent quarantine retry 7 --event fixed.json    send number 7 again, corrected
  weir-agent audit --repair                           prove that the edge has everything, send what it lacks

Each command reads weir-agent.toml, or the file that --config names. While an agent runs, the others work through it.
Exit code 0: done. 1: it failed. 2: wrong usage or configuration.`;

type Shared = { config: string; json: boolean };

function addQuarantine(program: Command, terminal: Terminal, end: (code: ExitCode) => void): void {
  const group = program
    .command("quarantine")
    .description("look at, repair or give up events that nobody takes as they are");
  const command = (name: string, description: string) =>
    group
      .command(name)
      .description(description)
      .option("--config <file>", "configuration file", DEFAULT_CONFIG)
      .option("--json", "print JSON", false);
  command("list", "the events that are held, and why").action(async (options: Shared) => {
    end(await quarantine.list(options, terminal));
  });
  command("show", "one entry, whatever became of it")
    .argument("<id>", "its number", parseId)
    .action(async (id: number, options: Shared) => end(await quarantine.show({ ...options, id }, terminal)));
  filtered(command("retry", "send an event, or all that a filter finds, again under their own positions"))
    .argument("[id]", "its number", parseId)
    .option("--event <file>", "a corrected event to send instead; - for standard input")
    .option("--entity-ids <ids>", "send with these Zuora-Entity-Ids; empty for none")
    .option("--org-ids <ids>", "send with these Zuora-Org-Ids; empty for none")
    .option("--platform-id <id>", "send with this x-platform-id; empty for none")
    .action(async (id: number | undefined, options: Shared & FilterOptions & CorrectedIds & { event?: string }) => {
      const { entityIds, orgIds, platformId, event } = options;
      const ids = defined({ entityIds, orgIds, platformId });
      if (id !== undefined) end(await quarantine.retry({ ...options, id, event: event ?? null, ids }, terminal));
      else if (event !== undefined) end(usage(terminal, "--event corrects one event: name it by its number"));
      else if (!hasFilter(options)) end(usage(terminal, NAME_WHICH));
      else {
        const act = { kind: "retry", ids } as const;
        end(await quarantine.actOnAll({ ...options, filter: filterOf(options), act }, terminal));
      }
    });
  filtered(command("discard", "give an event, or all that a filter finds, up, on record"))
    .argument("[id]", "its number", parseId)
    .requiredOption("--reason <text>", "why it need not be billed", parseReason)
    .action(async (id: number | undefined, options: Shared & FilterOptions & { reason: string }) => {
      if (id !== undefined) end(await quarantine.discard({ ...options, id }, terminal));
      else if (!hasFilter(options)) end(usage(terminal, NAME_WHICH));
      else {
        const act = { kind: "discard", reason: options.reason } as const;
        end(await quarantine.actOnAll({ ...options, filter: filterOf(options), act }, terminal));
      }
    });
  idsFiltered(command("withdraw", "take events that wait, refused by themselves, into quarantine"))
    .option("--stream <name>", "of this stream")
    .option("--all", "whatever waits so", false)
    .action(async (options: Shared & FilterOptions) => {
      const { stream, entity, org, platform } = options;
      const filter = defined({ stream, entityIds: entity, orgIds: org, platformId: platform });
      if (!hasFilter(options))
        end(usage(terminal, "name a lane with --stream, --entity, --org or --platform, or --all"));
      else end(await quarantine.withdraw({ ...options, filter }, terminal));
    });
  command("export", "write the held events as NDJSON")
    .option("--out <file>", "instead of to standard output")
    .action(async (options: Shared & { out?: string }) => {
      end(await quarantine.exportHeld({ ...options, out: options.out ?? null }, terminal));
    });
}

interface FilterOptions {
  readonly stream?: string;
  readonly code?: string;
  readonly status?: number;
  readonly from?: number;
  readonly to?: number;
  readonly entity?: string;
  readonly org?: string;
  readonly platform?: string;
  readonly all: boolean;
}

const NAME_WHICH = "name an event by its number, or events by a filter, or --all";

function idsFiltered(command: Command): Command {
  return command
    .option("--entity <ids>", "that came with these Zuora-Entity-Ids")
    .option("--org <ids>", "that came with these Zuora-Org-Ids")
    .option("--platform <id>", "that came with this x-platform-id");
}

function filtered(command: Command): Command {
  return idsFiltered(command)
    .option("--stream <name>", "all of this stream")
    .option("--code <code>", "all refused with this code")
    .option("--status <number>", "all refused with this status", parseId)
    .option("--from <time>", "all quarantined since, ISO 8601", parseTime)
    .option("--to <time>", "all quarantined before, ISO 8601", parseTime)
    .option("--all", "all that are held", false);
}

function hasFilter({ all, stream, code, status, from, to, entity, org, platform }: FilterOptions): boolean {
  return all || [stream, code, status, from, to, entity, org, platform].some((value) => value !== undefined);
}

function filterOf({ stream, code, status, from, to, entity, org, platform }: FilterOptions) {
  const withIds = defined({ entityIds: entity, orgIds: org, platformId: platform });
  return { ...defined({ stream, code }), ...defined({ status, from, to }), withIds };
}

/** What of an object is there. */
function defined<T>(values: Readonly<Record<string, T | undefined>>): Record<string, T> {
  return Object.fromEntries(Object.entries(values).filter((entry): entry is [string, T] => entry[1] !== undefined));
}

function usage(terminal: Terminal, message: string): ExitCode {
  printError(terminal, message);
  return 2;
}

function parseTime(text: string): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new InvalidArgumentError("a time such as 2026-01-02T03:04:05Z");
  return ms;
}

function parseId(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("a number, as `quarantine list` shows it");
  return Number(text);
}

function parseReason(text: string): string {
  if (text.trim() === "") throw new InvalidArgumentError("say why: it is kept on record");
  return text;
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === "" || !Number.isFinite(seconds) || seconds < 0)
    throw new InvalidArgumentError("a number of seconds");
  return seconds;
}
