/** How a command of npm's ends: 0 well, 1 failed, 2 asked wrongly. */
import { type Command, CommanderError } from "commander";
import { onClosedPipe } from "./closed-pipe.ts";

/** What was asked cannot be: a flag that is missing, or means nothing beside another. */
export class UsageError extends Error {}

/**
 * Runs the process's own command line; an error is one line on stderr, with the command's name before it.
 * Flags that commander refuses, and a UsageError, end with 2, any other error with 1.
 */
export async function runCommandLine(program: Command, args: readonly string[] = process.argv.slice(2)): Promise<void> {
  onClosedPipe();
  const programs = [program, ...program.commands];
  for (const one of programs) one.exitOverride();
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    process.exitCode = exitCodeOf(error);
    if (!(error instanceof CommanderError)) console.error(`${program.name().replace(/ --$/, "")}: ${messageOf(error)}`);
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  return error instanceof UsageError ? 2 : 1;
}

/** An error's own words. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
