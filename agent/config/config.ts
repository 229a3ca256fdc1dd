/** The configuration file: TOML, every key known, every value checked before anything starts. */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse, TomlError } from "smol-toml";
import { AgentError } from "../runtime/agent-error.ts";
import { fileErrorText } from "../runtime/file-error.ts";
import { visible } from "../runtime/visible-text.ts";
import { combinationErrors } from "./combinations.ts";
import { type Environment, fillIn } from "./environment.ts";
import { type ReadSettings, readSettings } from "./read-settings.ts";
import type { SettingValues, TailValues } from "./settings.ts";

type DestinationValues = SettingValues["destination"];

export interface Config extends Pick<SettingValues, "listen" | "buffer" | "upload"> {
  /** Where it was read from. */
  readonly file: string;
  readonly id: string | null;
  readonly tails: readonly TailValues[];
  readonly destination: Omit<DestinationValues, "apiKeyEnv" | "apiKeyFile" | "clientId" | "clientSecretFile"> & {
    readonly apiKey: ApiKeySource;
    /** The OAuth client of a dialect that takes one; else null. */
    readonly client: { readonly id: string; readonly secretFile: string } | null;
  };
}

export type ApiKeySource =
  | { readonly from: "env"; readonly name: string }
  | { readonly from: "file"; readonly path: string }
  /** A dialect that takes none. */
  | { readonly from: "nowhere" };

/** Where a listening host and port are reached. */
export function httpUrl(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/**
 * Reads and checks a configuration file. Relative paths in it start at the file's own directory.
 * @param env what `${NAME}` in it stands for.
 * @throws AgentError CONFIG that names every error, and for an unknown key the nearest known one.
 */
export function readConfig(file: string, env: Environment): Config {
  const absolute = resolve(file);
  let text: string;
  try {
    text = readFileSync(absolute, "utf8");
  } catch (error) {
    const advice = "`weir-agent sample` prints one to begin with, --config names another";
    throw new AgentError("CONFIG", `cannot read ${file}: ${fileErrorText(error)}; ${advice}`, { cause: error });
  }
  return parseConfig(text, absolute, env);
}

/** As {@link readConfig}, of a text. */
export function parseConfig(text: string, file: string, env: Environment): Config {
  const errors: string[] = [];
  const document = fillIn(parseToml(text, file), env, (where, message) => errors.push(`${where}: ${message}`));
  // A value that could not be filled in would be called wrong for that as well.
  const refuse = () => {
    if (errors.length === 0) return;
    throw new AgentError(
      "CONFIG",
      [`${visible(file)} cannot be used:`, ...errors.map((error) => `  ${visible(error)}`)].join("\n"),
    );
  };
  refuse();
  const settings = readSettings(document as Record<string, unknown>, dirname(file), (error) => errors.push(error));
  refuse();
  errors.push(...combinationErrors(settings));
  refuse();
  return configOf(settings, file);
}

function parseToml(text: string, file: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new AgentError("CONFIG", `${file}, line ${error.line}: ${error.message.split("\n", 1)[0] ?? ""}`);
  }
}

function configOf({ top, listen, buffer, upload, destination, tails }: ReadSettings, file: string): Config {
  const { apiKeyEnv, apiKeyFile, clientId, clientSecretFile, ...rest } = destination;
  const client = clientId === null || clientSecretFile === null ? null : { id: clientId, secretFile: clientSecretFile };
  return {
    ...{ file, id: top.id, listen, buffer, upload, tails },
    destination: { ...rest, apiKey: keySourceOf(apiKeyEnv, apiKeyFile), client },
  };
}

function keySourceOf(env: string | null, file: string | null): ApiKeySource {
  if (env !== null) return { from: "env", name: env };
  return file === null ? { from: "nowhere" } : { from: "file", path: file };
}
