/**
 * Node scripts as child processes, for tests and the local scripts.
 *
 * Each leads a process group of its own, so that a SIGKILL takes what it started along (an edge's workerd), and
 * nothing outlives the starter: leaving normally kills the groups, dying hard closes the channel that
 * `tether.ts` listens to.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const TETHER = fileURLToPath(new URL("./tether.ts", import.meta.url));
/** Output kept for showing when something goes wrong; the beginning is dropped. */
const OUTPUT_CHARACTERS_MAX = 1_000_000;
const STOP_MS_MAX = 15_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface NodeProcess {
  readonly pid: number;
  /** The address on its `… ready on http://…` line; rejects with its last output when it ends before that. */
  readonly ready: Promise<string>;
  readonly exited: Promise<Exit>;
  isRunning(): boolean;
  stdout(): string;
  stderr(): string;
  /** Signals the process alone; SIGKILL goes to its whole group, as a power cut would. */
  kill(signal: NodeJS.Signals): Promise<Exit>;
  /** SIGTERM, and SIGKILL for the group if it has not ended after 15 s. */
  stop(): Promise<Exit>;
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** A command with its options that starts the program as its own process, such as `strace -D`. */
  readonly under?: readonly string[];
}

export interface SpawnOptions extends ProgramOptions {
  /** Flags for node itself. */
  readonly nodeFlags?: readonly string[];
}

const running = new Set<number>();
process.on("exit", () => {
  for (const pid of running) killGroup(pid);
});

/** Starts `node SCRIPT ARGS…` with the Node that runs this. */
export function spawnNode(script: string, args: readonly string[] = [], options: SpawnOptions = {}): NodeProcess {
  const { nodeFlags = [], under = [] } = options;
  const command = [...under, process.execPath, "--import", TETHER, ...nodeFlags, script, ...args];
  return spawned(script, command, ["ignore", "pipe", "pipe", "ipc"], options);
}

/** Starts a program that is no script; it outlives a starter that is killed. */
export function spawnProgram(program: string, args: readonly string[], options: ProgramOptions = {}): NodeProcess {
  return spawned(program, [...(options.under ?? []), program, ...args], ["ignore", "pipe", "pipe"], options);
}

function spawned(
  script: string,
  [command = "", ...rest]: readonly string[],
  stdio: ("ignore" | "pipe" | "ipc")[],
  { env = {}, cwd }: ProgramOptions,
): NodeProcess {
  const child = spawn(command, rest, {
    detached: true,
    stdio,
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`could not start ${script}`);
  running.add(pid);
  const stdout = collectOutput(child.stdout);
  const stderr = collectOutput(child.stderr);
  const exited = new Promise<Exit>((resolve) => {
    // "close", not "exit": by then all its output is here.
    child.once("close", (code, signal) => {
      running.delete(pid);
      resolve({ code, signal });
    });
  });
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  const kill = (signal: NodeJS.Signals) => {
    if (signal === "SIGKILL") killGroup(pid);
    else if (isRunning()) child.kill(signal);
    return exited;
  };
  return {
    pid,
    ready: readyAddress(script, child, exited, stdout, stderr),
    exited,
    isRunning,
    stdout: stdout.text,
    stderr: stderr.text,
    kill,
    stop: () => stop(pid, kill),
  };
}

/** The last lines of a process's words, its errors first in importance; for messages. */
export function lastWords(process: Pick<NodeProcess, "stdout" | "stderr">, lines = 30): string {
  const words = process.stderr().trim() || process.stdout().trim() || "(it said nothing)";
  return words.split("\n").slice(-lines).join("\n");
}

async function stop(pid: number, kill: (signal: NodeJS.Signals) => Promise<Exit>): Promise<Exit> {
  const timer = setTimeout(() => killGroup(pid), STOP_MS_MAX);
  try {
    return await kill("SIGTERM");
  } finally {
    clearTimeout(timer);
    // A child of its own that it left behind would hold its port and files.
    killGroup(pid);
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    // EPERM: on macOS, a group of which only the not yet collected leader is left.
    const isGone = error instanceof Error && "code" in error && (error.code === "ESRCH" || error.code === "EPERM");
    if (!isGone) throw error;
  }
}

interface Output {
  text(): string;
  /** Calls with every line, from the first, until it answers true. */
  onLine(take: (line: string) => boolean): void;
}

function collectOutput(stream: NodeJS.ReadableStream | null): Output {
  let text = "";
  let unfinished = "";
  let take: ((line: string) => boolean) | null = null;
  stream?.setEncoding("utf8");
  stream?.on("data", (chunk: string) => {
    text = (text + chunk).slice(-OUTPUT_CHARACTERS_MAX);
    if (take === null) return;
    const lines = (unfinished + chunk).split("\n");
    unfinished = lines.pop() ?? "";
    if (lines.some(take)) take = null;
  });
  return {
    text: () => text,
    onLine: (taker) => {
      take = taker;
    },
  };
}

function readyAddress(
  script: string,
  child: ChildProcess,
  exited: Promise<Exit>,
  stdout: Output,
  stderr: Output,
): Promise<string> {
  const ready = new Promise<string>((resolve, reject) => {
    child.once("error", reject);
    stdout.onLine((line) => {
      const address = /^\w+ ready on (\S+)/.exec(line)?.[1];
      if (address !== undefined) resolve(address);
      return address !== undefined;
    });
    void exited.then(({ code, signal }) => {
      const words = lastWords({ stdout: stdout.text, stderr: stderr.text });
      reject(new Error(`${script} ended (${signal ?? code}) before it was ready:\n${words}`));
    });
  });
  // Whoever waits gets the rejection; a process that nobody waits for must not end the starter.
  ready.catch(() => undefined);
  return ready;
}
