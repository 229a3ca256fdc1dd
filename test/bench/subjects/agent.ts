/** The agent from the checkout or as packaged, with the flags that each is run with, and its floor. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { spawnNode } from "../../../tools/processes/node-process.ts";
import { type Subject, started } from "./subject.ts";

const at = (file: string) => fileURLToPath(new URL(`../../../${file}`, import.meta.url));
const FLOOR = fileURLToPath(new URL("../floors/agent.ts", import.meta.url));

/** How an agent is started: its script, flags for node, environment. */
export interface AgentProgram {
  readonly script: string;
  readonly nodeFlags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** As `npm run agent` starts it, by the words of package.json. */
export function checkoutAgent(): AgentProgram {
  const { scripts } = JSON.parse(readFileSync(at("package.json"), "utf8")) as { scripts: Record<string, string> };
  const [, settings = "", flags = ""] = /^(.*?)exec node (.*)agent\/main\.ts$/.exec(scripts["agent"] ?? "") ?? [];
  return { script: at("agent/main.ts"), nodeFlags: words(flags), env: variables(words(settings)) };
}

/** Builds the package into `folder`; started as its own first line and its unit say. */
export async function packagedAgent(folder: string): Promise<AgentProgram> {
  const build = spawnNode(at("agent/package/build.ts"), [folder]);
  const { code } = await build.exited;
  if (code !== 0) throw new Error(`the agent's package could not be built:\n${build.stderr()}`);
  const script = join(folder, "weir-agent.js");
  const [, flags = ""] = /^#!.* node (.*)$/m.exec(readFileSync(script, "utf8")) ?? [];
  const unit = readFileSync(join(folder, "weir-agent.service"), "utf8");
  const settings = [...unit.matchAll(/^Environment=(.*)$/gm)].map(([, setting = ""]) => setting);
  return { script, nodeFlags: words(flags), env: variables(settings) };
}

export interface AgentOptions {
  readonly program: AgentProgram;
  /** Of configuration and buffer. */
  readonly folder: string;
  readonly sinkUrl: string;
  readonly bufferBytesMax?: number;
  /** Where its threads leave their profiles when it ends; null: it is not profiled. */
  readonly profiles?: string | null;
}

const GIB = 1024 ** 3;

/** Starts an agent that delivers to a sink; what `buffer` in the folder holds is its backlog. */
export async function startAgent(options: AgentOptions): Promise<Subject> {
  const { program, folder, sinkUrl, bufferBytesMax = 2 * GIB, profiles = null } = options;
  mkdirSync(folder, { recursive: true });
  const config = join(folder, "agent.toml");
  writeFileSync(
    config,
    `[listen]\nport = 0\n[buffer]\npath = "buffer"\nmax_bytes = ${bufferBytesMax}\n` +
      `[destination]\nurl = "${sinkUrl}"\napi_key_env = "KEY"\n`,
  );
  const profiling = profiles === null ? [] : ["--cpu-prof", `--cpu-prof-dir=${profiles}`];
  const agent = spawnNode(program.script, ["run", "--config", config], {
    nodeFlags: [...program.nodeFlags, ...profiling],
    env: { ...program.env, KEY: "bench" },
  });
  return started(agent);
}

/** @param file its database, which may hold a backlog. */
export function startAgentFloor(file: string, sinkUrl: string): Promise<Subject> {
  return started(spawnNode(FLOOR, [file, sinkUrl]));
}

function words(text: string): string[] {
  return text.split(" ").filter((word) => word !== "");
}

function variables(settings: readonly string[]): Record<string, string> {
  return Object.fromEntries(settings.map((setting) => setting.split("=", 2) as [string, string]));
}
