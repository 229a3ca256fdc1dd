/** Secrets, read from where the configuration says; they never enter the configuration itself, nor a log. */
import { readFileSync } from "node:fs";
import { AgentError } from "../runtime/agent-error.ts";
import { fileErrorText } from "../runtime/file-error.ts";
import type { ApiKeySource } from "./config.ts";

/**
 * The key for the destination.
 * @throws AgentError CONFIG where there is none, naming where it was looked for.
 */
export function readApiKey(source: ApiKeySource, env: Readonly<Record<string, string | undefined>>): string {
  switch (source.from) {
    case "env":
      return headerSafe(env[source.name], `the environment variable ${source.name} (destination.api_key_env)`);
    case "file":
      return readSecretFile(source.path, "destination.api_key_file");
    case "nowhere":
      throw new AgentError("CONFIG", "destination.api_key_env or destination.api_key_file is required");
  }
}

/** A secret alone in a file; white space around it is no part of it. */
export function readSecretFile(path: string, setting: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new AgentError("CONFIG", `${setting}: cannot read ${path}: ${fileErrorText(error)}`, { cause: error });
  }
  return headerSafe(text, `${setting} ${path}`);
}

function headerSafe(text: string | undefined, where: string): string {
  const secret = text?.trim() ?? "";
  if (secret === "") throw new AgentError("CONFIG", `${where} is empty or not set`);
  // It travels in a header, and a line break in one would start another.
  if (!/^[\x21-\x7e]+$/.test(secret)) throw new AgentError("CONFIG", `${where} holds characters no key has`);
  return secret;
}
