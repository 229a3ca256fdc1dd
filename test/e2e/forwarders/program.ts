/** Programs of the system beside the product: whether they are there, and running one so that it never outlives a test. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";

export interface Program {
  /** Settles with the exit code once it has ended; null after a signal. */
  readonly ended: Promise<number | null>;
  /** The end of what it printed, its errors included. */
  words(): string;
  isRunning(): boolean;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
}

/** Whether a program is installed and runs. */
export function isInstalled({ command, args }: Command): boolean {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

const WORDS_KEPT = 20_000;

/** The program gets SIGKILL should this process end before it. */
export function startProgram({ command, args }: Command, cwd: string): Program {
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", command, ...args], {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let words = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      words = (words + text).slice(-WORDS_KEPT);
    });
  }
  const ended = once(child, "close").then(([code]) => code as number | null);
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  return {
    ended,
    words: () => words,
    isRunning,
    async stop(signal = "SIGTERM") {
      const timer = setTimeout(() => child.kill("SIGKILL"), 30_000);
      if (isRunning()) child.kill(signal);
      await ended;
      clearTimeout(timer);
    },
  };
}
