#!/usr/bin/env node
/** The agent's command line: arguments in, exit code out. */
import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { destination, pino } from "pino";
import { systemClock } from "./clock.ts";
import { check } from "./commands/check.ts";
import { drain } from "./commands/drain.ts";
import { run } from "./commands/run.ts";
import { send } from "./commands/send.ts";
import { status } from "./commands/status.ts";
import { type ExitCode, printError, type Terminal } from "./commands/terminal.ts";
import { AgentFault } from "./fault.ts";

const DEFAULT_CONFIG = "weir-agent.toml";

/** Runs one command line; `args` without the program's own name. */
export async function main(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let code: ExitCode = 0;
  const program = createProgram(terminal, (ended) => {
    code = ended;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!(error instanceof AgentFault)) throw error;
    printError(terminal, error.message);
    return error.code === "CONFIG" ? 2 : 1;
  }
}

function createProgram(terminal: Terminal, end: (code: ExitCode) => void): Command {
  const program = new Command("weir-agent")
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
    .option("--lenient", "quarantine bad lines instead of stopping at the first", false)
    .option("--json", "print the result as JSON", false)
    .action(async (files: string[], options: { config: string; stream: string; lenient: boolean; json: boolean }) => {
      end(await send({ ...options, files }, terminal));
    });
  command("status", "print what GET /status tells, also when no agent runs")
    .option("--json", "on one line", false)
    .action(async (options: { config: string; json: boolean }) => {
      end(await status(options, terminal));
    });
  command("drain", "wait until the buffer is empty, uploading where no agent runs")
    .option("--timeout <seconds>", "give up after this long", parseSeconds)
    .option("--json", "print the result as JSON", false)
    .action(async ({ timeout, ...options }: { config: string; json: boolean; timeout?: number }) => {
      end(await drain({ ...options, timeout: timeout ?? null }, terminal));
    });
  command("check", "check configuration, disk, buffer, destination and credentials")
    .option("--json", "print the findings as JSON", false)
    .action(async (options: { config: string; json: boolean }) => {
      end(await check(options, terminal));
    });
  return program;
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === "" || !Number.isFinite(seconds) || seconds < 0)
    throw new InvalidArgumentError("a number of seconds");
  return seconds;
}

function isEntryPoint(): boolean {
  const script = process.argv[1];
  return script !== undefined && realpathSync(script) === fileURLToPath(import.meta.url);
}

if (isEntryPoint()) {
  const { stdin, stdout, stderr, env } = process;
  // A running agent tells what it does; other commands only what goes wrong, beside their progress bar.
  const level = process.argv[2] === "run" ? "info" : "warn";
  // Logs go out as they are written: a crash must not take the last lines with it.
  const logger = pino({ level }, destination({ dest: 2, sync: true }));
  const terminal: Terminal = { stdin, stdout, stderr, env, clock: systemClock, random: Math.random, logger };
  // Not process.exit: what was printed to a pipe may still be on its way. Nothing keeps the process alive.
  process.exitCode = await main(process.argv.slice(2), terminal);
}
