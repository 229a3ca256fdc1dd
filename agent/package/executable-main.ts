/** The command line as one executable. */
import { start } from "../main.ts";

/** `NAME=value` each, put in by the build. */
declare const WEIR_ENVIRONMENT: readonly string[];

/**
 * glibc reads its settings before the first line of a program, and nothing inside an executable can hold them. A unit or
 * container gives them; started without them, the agent begins anew, as the same process.
 */
function withEnvironment(): void {
  const { env, execPath, argv0, argv } = process;
  const wanted = WEIR_ENVIRONMENT.map((setting) => setting.split("=", 2) as [string, string]);
  if (argv[2] !== "run" || wanted.every(([name]) => env[name] !== undefined)) return;
  process.execve?.(execPath, [argv0, ...argv.slice(2)], { ...Object.fromEntries(wanted), ...env });
}

withEnvironment();
void start();
