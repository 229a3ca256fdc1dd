#!/usr/bin/env node
/** The agent's command line: arguments in, exit code out. */
import { CommanderError } from "commander";
import { createProgram } from "./commands/program.ts";
import { type ExitCode, printError, printErrorLines, type Terminal } from "./commands/terminal.ts";
import { AgentError } from "./runtime/agent-error.ts";
import { systemClock } from "./runtime/clock.ts";
import { isFileError } from "./runtime/file-error.ts";
import { createLogLimit } from "./runtime/log-limit.ts";
import { createLogger } from "./runtime/logger.ts";
import { endWhenPrinted } from "./runtime/process-end.ts";

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
    // What the system refused is no bug of ours: its own line says it, and a stack would only hide it.
    if (!(error instanceof AgentError || isFileError(error))) throw error;
    const isUsage = error instanceof AgentError && error.code === "CONFIG";
    // What is wrong with a configuration is told in a line each.
    if (isUsage) printErrorLines(terminal, error.message);
    else printError(terminal, error.message);
    return isUsage ? 2 : 1;
  }
}

function ignoreBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE" && error.code !== "ERR_STREAM_DESTROYED") throw error;
}

/** Runs the process's own command line. */
export async function start(): Promise<void> {
  const { stdin, stdout, stderr, env } = process;
  // A reader that went away (`… | head`) is no failure, and no reason for an agent to end.
  for (const stream of [stdout, stderr]) stream.on("error", ignoreBrokenPipe);
  // A running agent tells what it does; other commands only what goes wrong, beside their progress bar.
  const level = process.argv[2] === "run" ? "info" : "warn";
  const limit = createLogLimit(systemClock);
  const logger = createLogger({ level, hooks: limit.hooks, stream: stderr });
  const suppressedLines = () => limit.suppressed;
  const streams = { stdin, stdout, stderr };
  const terminal: Terminal = { ...streams, env, clock: systemClock, random: Math.random, logger, suppressedLines };
  try {
    process.exitCode = await main(process.argv.slice(2), terminal);
  } finally {
    limit.end();
    endWhenPrinted([stdout, stderr]);
  }
}

if (import.meta.main) void start();
