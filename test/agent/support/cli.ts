/** The agent's command line as a process of its own, run to its end. */
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type NodeProcess, spawnNode } from "../../../tools/processes/node-process.ts";
import { tempDir } from "../../../tools/processes/temp-dir.ts";
import { AGENT_ENV } from "./npm-agent.ts";

const MAIN = fileURLToPath(new URL("../../../agent/main.ts", import.meta.url));
/** Its ticks pass a hundred times as fast. */
export const QUICK_AGENT = fileURLToPath(new URL("./quick-agent.ts", import.meta.url));
// As `npm run agent` has it: the memory of threads stays bounded.
const ENV = { WEIR_API_KEY: "test-key", ...AGENT_ENV };

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Cli extends AsyncDisposable {
  readonly directory: string;
  readonly configFile: string;
  configure(destinationUrl: string, more?: string): void;
  /** Runs a command to its end, `--config` added. */
  command(args: readonly string[], stdin?: string | Uint8Array): Promise<CommandResult>;
  /** Starts `run`; `script`: another way into the same command line. */
  run(options?: { readonly script?: string; readonly nodeFlags?: readonly string[] }): NodeProcess;
}

/** Runs one command line to its end. */
export function runCommand(
  args: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
  stdin: string | Uint8Array = "",
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, ...env }, cwd });
    const output = { stdout: "", stderr: "" };
    child.stdout.on("data", (chunk) => {
      output.stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      output.stderr += chunk;
    });
    child.on("error", reject).on("close", (code) => resolve({ code, ...output }));
    child.stdin.on("error", () => {}).end(stdin);
  });
}

/** @param env beside the API key and this process's own. */
export function cli(destinationUrl: string, env: Readonly<Record<string, string>> = {}): Cli {
  // A path too long for a unix socket, as a test runner's or a container's may be.
  const temp = tempDir("weir-agent-cli");
  const directory = join(temp.path, "a-directory-whose-name-is-longer-than-a-unix-socket-takes".repeat(2));
  mkdirSync(directory);
  const configFile = join(directory, "weir-agent.toml");
  const started: NodeProcess[] = [];
  const configure = (url: string, more = "") =>
    writeFileSync(
      configFile,
      `[listen]\nport = 0\n[destination]\nurl = "${url}"\napi_key_env = "WEIR_API_KEY"\n` +
        `[upload]\nlinger_ms = 0\nbackoff_base_ms = 5\nbackoff_max_ms = 100\n${more}`,
    );
  configure(destinationUrl);
  return {
    directory,
    configFile,
    configure,
    command: (args, stdin = "") =>
      runCommand([...args, "--config", configFile], { cwd: directory, env: { ...ENV, ...env } }, stdin),
    run({ script = MAIN, nodeFlags = [] } = {}) {
      const process = spawnNode(script, ["run", "--config", configFile], { env: { ...ENV, ...env }, nodeFlags });
      started.push(process);
      return process;
    },
    async [Symbol.asyncDispose]() {
      for (const process of started) await process.kill("SIGKILL");
      temp.remove();
    },
  };
}
