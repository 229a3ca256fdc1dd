/** The command line's grammar: commands, options and their help. */
import { Command, InvalidArgumentError } from "commander";
import { sampleText } from "../config/sample.ts";
import { VERSION } from "../runtime/version.ts";
import { audit } from "./audit.ts";
import { check } from "./check.ts";
import { drain } from "./drain.ts";
import * as quarantine from "./quarantine.ts";
import { run } from "./run.ts";
import { send } from "./send.ts";
import { sendTest } from "./send-test.ts";
import { status } from "./status.ts";
import type { ExitCode, Terminal } from "./terminal.ts";

const DEFAULT_CONFIG = "weir-agent.toml";

/** @param end takes the code that a command ends with. */
export function createProgram(terminal: Terminal, end: (code: ExitCode) => void): Command {
  const program = new Command("weir-agent")
    .version(VERSION, "--version", "print the version")
    .description("Takes usage events on this machine, keeps them on disk, delivers each exactly once to the edge.")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void terminal.stdout.write(text),
      writeErr: (text) => void terminal.stderr.write(text),
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
  command("retry", "send an event again under its own position")
    .argument("<id>", "its number", parseId)
    .option("--event <file>", "a corrected event to send instead; - for standard input")
    .action(async (id: number, options: Shared & { event?: string }) => {
      end(await quarantine.retry({ ...options, id, event: options.event ?? null }, terminal));
    });
  command("discard", "give an event up, on record")
    .argument("<id>", "its number", parseId)
    .requiredOption("--reason <text>", "why it need not be billed", parseReason)
    .action(async (id: number, options: Shared & { reason: string }) => {
      end(await quarantine.discard({ ...options, id }, terminal));
    });
  command("export", "write the held events as NDJSON")
    .option("--out <file>", "instead of to standard output")
    .action(async (options: Shared & { out?: string }) => {
      end(await quarantine.exportHeld({ ...options, out: options.out ?? null }, terminal));
    });
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
