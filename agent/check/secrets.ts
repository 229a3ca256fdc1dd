/** Whether the files that hold secrets are there, and for the agent's user alone. */
import { statSync } from "node:fs";
import type { Config } from "../config/config.ts";
import { readSecretFile } from "../config/secrets.ts";
import { messageOf } from "../runtime/agent-error.ts";
import { type Finding, failed, warned } from "./finding.ts";

interface SecretFile {
  readonly setting: string;
  readonly path: string;
}

export function checkSecretFiles(config: Config): Finding[] {
  return secretFilesOf(config).flatMap(({ setting, path }): Finding[] => {
    try {
      readSecretFile(path, setting);
      const mode = statSync(path).mode & 0o777;
      if ((mode & 0o077) === 0) return [];
      const octal = mode.toString(8);
      return [warned("configuration", `${setting}: ${path} is open to other users (mode ${octal}); chmod 600 it`)];
    } catch (error) {
      return [failed("configuration", messageOf(error))];
    }
  });
}

function secretFilesOf({ listen, destination }: Config): SecretFile[] {
  const { apiKey, client } = destination;
  return [
    ...(listen.tokenFile === null ? [] : [{ setting: "listen.token_file", path: listen.tokenFile }]),
    ...(apiKey.from === "file" ? [{ setting: "destination.api_key_file", path: apiKey.path }] : []),
    ...(client === null ? [] : [{ setting: "destination.client_secret_file", path: client.secretFile }]),
  ];
}
