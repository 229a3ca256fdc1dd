/** Settings that are right each by itself and cannot be used together. Pure. */
import { parseStream } from "../../shared/events/kind.ts";
import { VENDOR_NAMES, VENDORS } from "../../shared/vendors/vendors.ts";
import type { ReadSettings } from "./read-settings.ts";

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i;

/** Whether a host, as in a URL or alone, is this machine and nobody else's. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

/** What cannot be done, in words; empty where all fits. */
export function combinationErrors(settings: ReadSettings): string[] {
  return [...credentialErrors(settings), ...tailErrors(settings), ...listenErrors(settings), ...waitErrors(settings)];
}

function credentialErrors({ destination }: ReadSettings): string[] {
  const { dialect, apiKeyEnv, apiKeyFile, clientId, clientSecretFile } = destination;
  const hasKey = apiKeyEnv !== null || apiKeyFile !== null;
  if (VENDORS[dialect].credentials.kind === "token") {
    const absent = [clientId === null ? "client_id" : null, clientSecretFile === null ? "client_secret_file" : null];
    const missing = absent
      .filter((key) => key !== null)
      .map((key) => `destination.${key}: required by dialect "${dialect}"`);
    return hasKey
      ? [...missing, `destination.api_key_env and api_key_file belong to other dialects than "${dialect}"`]
      : missing;
  }
  if (clientId !== null || clientSecretFile !== null) {
    const takers = VENDOR_NAMES.filter((name) => VENDORS[name].credentials.kind === "token");
    const named = takers.map((name) => `"${name}"`).join(", ");
    return [`destination.client_id and client_secret_file belong to dialect ${named}, not to "${dialect}"`];
  }
  if (!hasKey) return ["destination.api_key_env or destination.api_key_file is required: where the API key is found"];
  if (apiKeyEnv === null || apiKeyFile === null) return [];
  return ["destination.api_key_env and destination.api_key_file exclude each other"];
}

function tailErrors({ tails }: ReadSettings): string[] {
  const strange = tails.filter(({ stream }) => parseStream(stream) === null);
  const paths = tails.map(({ path }) => path);
  const twice = new Set(paths.filter((path, index) => paths.indexOf(path) !== index));
  return [
    ...strange.map(({ stream }) => `tail.stream: "${stream}" is no stream that can be followed, say usage/METER`),
    ...[...twice].map((path) => `tail.path: ${path} is followed twice`),
  ];
}

function listenErrors({ listen }: ReadSettings): string[] {
  if (listen.tokenFile !== null || isLoopback(listen.host)) return [];
  return [`listen.token_file: required, because listen.host ${listen.host} can be reached from elsewhere`];
}

function waitErrors({ upload }: ReadSettings): string[] {
  if (upload.backoffMaxMs >= upload.backoffBaseMs) return [];
  return [`upload.backoff_max_ms: ${upload.backoffMaxMs} is below upload.backoff_base_ms (${upload.backoffBaseMs})`];
}
