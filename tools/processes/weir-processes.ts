/** Edge, agent and twin as real processes, the way a user runs them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LOCAL_KEYS } from "../sample/local-keys.ts";
import { freePort } from "./free-port.ts";
import { spawnNode } from "./node-process.ts";
import { type Restartable, startRestartable } from "./restartable.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const EDGE = join(ROOT, "tools/edge/main.ts");
const AGENT = join(ROOT, "agent/main.ts");
const TWIN = join(ROOT, "tools/twin/main.ts");

export interface TwinProcessOptions {
  readonly port?: number;
  /** Further flags of `tools/twin/main.ts`. */
  readonly args?: readonly string[];
}

/** The twin's memory ends with it: killed and restarted, it is empty. */
export async function runTwin({ port, args = [] }: TwinProcessOptions = {}): Promise<Restartable> {
  const chosen = port ?? (await freePort());
  return startRestartable(chosen, () => spawnNode(TWIN, ["--port", String(chosen), ...args], { cwd: ROOT }));
}

export interface EdgeProcessOptions {
  readonly port?: number;
  /** Where D1 and the queues live; kept over restarts. */
  readonly persistTo: string;
  /** Settings by name. */
  readonly vars?: Readonly<Record<string, string>>;
}

export async function runEdge({ port, persistTo, vars = {} }: EdgeProcessOptions): Promise<Restartable> {
  const chosen = port ?? (await freePort());
  const settings = Object.entries(vars).flatMap(([name, value]) => ["--var", `${name}:${value}`]);
  const args = ["--port", String(chosen), "--persist-to", persistTo, ...settings];
  return startRestartable(chosen, () => spawnNode(EDGE, args, { cwd: ROOT }));
}

/** The settings with which an edge delivers to a twin in both dialects. */
export function twinVars(twinUrl: string): Record<string, string> {
  return {
    ZUORA_BASE_URL: twinUrl,
    ZUORA_CLIENT_ID: "twin-client",
    ZUORA_CLIENT_SECRET: "twin-secret",
    SOLVIMON_BASE_URL: twinUrl,
    SOLVIMON_API_KEY: "twin-key",
  };
}

export interface AgentProcessOptions {
  readonly port?: number;
  readonly id?: string;
  /** Where configuration and buffer live; kept over restarts. */
  readonly directory: string;
  readonly destinationUrl: string;
  /** Lines of `[destination]` beside the url; those of an edge where nothing is said. */
  readonly destination?: readonly string[];
  /** More of the `[buffer]` table; values as TOML writes them, strings with their quotes. */
  readonly buffer?: Readonly<Record<string, string | number>>;
  /** The `[upload]` table, likewise. */
  readonly upload?: Readonly<Record<string, string | number>>;
  /** Further TOML, put at the end: tables of their own. */
  readonly toml?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface AgentProcess extends Restartable {
  readonly configFile: string;
}

export async function runAgent(options: AgentProcessOptions): Promise<AgentProcess> {
  const port = options.port ?? (await freePort());
  mkdirSync(options.directory, { recursive: true });
  const configFile = join(options.directory, "agent.toml");
  writeFileSync(configFile, agentToml(port, options));
  const env = { WEIR_API_KEY: LOCAL_KEYS.ingest, ...options.env };
  const spawn = () => spawnNode(AGENT, ["run", "--config", configFile], { cwd: ROOT, env });
  return { ...(await startRestartable(port, spawn)), configFile };
}

const TO_AN_EDGE = ['dialect = "edge"', 'api_key_env = "WEIR_API_KEY"'];

function agentToml(
  port: number,
  { id, directory, destinationUrl, destination = TO_AN_EDGE, buffer = {}, upload = {}, toml = "" }: AgentProcessOptions,
): string {
  const lines = [
    ...(id === undefined ? [] : [`id = ${JSON.stringify(id)}`]),
    "[listen]",
    `port = ${port}`,
    "[buffer]",
    `path = ${JSON.stringify(join(directory, "buffer"))}`,
    ...Object.entries(buffer).map(([name, value]) => `${name} = ${value}`),
    "[destination]",
    `url = ${JSON.stringify(destinationUrl)}`,
    ...destination,
    "[upload]",
    ...Object.entries(upload).map(([name, value]) => `${name} = ${value}`),
    toml,
  ];
  return `${lines.join("\n")}\n`;
}
