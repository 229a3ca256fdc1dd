/** The configuration file: TOML, every key known, every value checked before anything starts. */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse, TomlError } from "smol-toml";
import { z } from "zod";
import { parseStream } from "../../shared/events/kind.ts";
import { AgentError, messageOf } from "../runtime/agent-error.ts";
import { nearestWord } from "./nearest.ts";
import { parseSize } from "./size.ts";

/** Room for a dot and the log's eight characters within the 128 of a producer's name on the wire. */
const ID_PATTERN = /^[A-Za-z0-9._-]{1,119}$/;

const size = z.union([z.string(), z.number()]).transform((value, context) => {
  const bytes = typeof value === "number" ? value : parseSize(value);
  if (bytes !== null && Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  context.addIssue({ code: "custom", message: 'must be a size such as "2 GiB", "1 MB" or a number of bytes' });
  return z.NEVER;
});

const path = z.string().min(1);

const destinationUrl = z.string().superRefine((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : null;
  const issue = (message: string) => context.addIssue({ code: "custom", message });
  if (url === null || !/^https?:$/.test(url.protocol)) issue("must be an http or https URL");
  // It is logged and shown, so that what it holds is no secret.
  else if (url.username !== "" || url.password !== "") issue("must not hold a user or password; see api_key_file");
  else if (url.search !== "" || url.hash !== "") issue("must not have a query or fragment: paths are put behind it");
});

const configSchema = z.strictObject({
  id: z.string().regex(ID_PATTERN, "must be 1 to 119 of A-Z a-z 0-9 . _ -").optional(),
  listen: z
    .strictObject({
      host: z.string().min(1).default("127.0.0.1"),
      port: z.int().min(0).max(65535).default(8788),
      socket: path.optional(),
      token_file: path.optional(),
    })
    .prefault({}),
  buffer: z
    .strictObject({
      path: path.default("weir-buffer"),
      max_bytes: size.prefault("2 GiB"),
      retain_hours: z.number().positive().max(8760).default(24),
    })
    .prefault({}),
  destination: z.strictObject({
    url: destinationUrl,
    dialect: z.enum(["edge", "zuora", "solvimon"]).default("edge"),
    api_key_env: z.string().min(1).optional(),
    api_key_file: path.optional(),
    client_id: z.string().min(1).optional(),
    client_secret_file: path.optional(),
  }),
  upload: z
    .strictObject({
      batch_bytes: size.prefault("1 MB"),
      batch_events: z.int().min(1).max(10_000).default(10_000),
      linger_ms: z.int().min(0).max(3_600_000).default(200),
      concurrency: z.int().min(1).max(64).default(4),
      timeout_ms: z.int().min(1).max(600_000).default(30_000),
      backoff_base_ms: z.int().min(1).max(3_600_000).default(500),
      backoff_max_ms: z.int().min(1).max(3_600_000).default(60_000),
    })
    .prefault({}),
  tail: z.array(z.strictObject({ path, stream: z.string().min(1) })).default([]),
});

type ConfigFile = z.infer<typeof configSchema>;

export interface Config {
  /** Where it was read from. */
  readonly file: string;
  readonly id: string | null;
  readonly listen: {
    readonly host: string;
    readonly port: number;
    readonly socket: string | null;
    readonly tokenFile: string | null;
  };
  readonly buffer: { readonly directory: string; readonly bytesMax: number; readonly retainHours: number };
  readonly tails: readonly { readonly path: string; readonly stream: string }[];
  readonly destination: {
    readonly url: string;
    readonly dialect: "edge" | "zuora" | "solvimon";
    readonly apiKey: ApiKeySource;
    /** Zuora's OAuth client; null in every other dialect. */
    readonly client: { readonly id: string; readonly secretFile: string } | null;
  };
  readonly upload: {
    readonly batchBytes: number;
    readonly batchEvents: number;
    readonly lingerMs: number;
    readonly concurrency: number;
    readonly timeoutMs: number;
    readonly backoffBaseMs: number;
    readonly backoffMaxMs: number;
  };
}

export type ApiKeySource =
  | { readonly from: "env"; readonly name: string }
  | { readonly from: "file"; readonly path: string }
  | { readonly from: "nowhere" };

/** Where a listening host and port are reached. */
export function httpUrl(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/**
 * Reads and checks a configuration file. Relative paths in it start at the file's own directory.
 * @throws AgentError CONFIG that names every fault, and for an unknown key the nearest known one.
 */
export function readConfig(file: string): Config {
  const absolute = resolve(file);
  let text: string;
  try {
    text = readFileSync(absolute, "utf8");
  } catch (error) {
    throw new AgentError("CONFIG", `cannot read ${file}: ${messageOf(error)}`, { cause: error });
  }
  return parseConfig(text, absolute);
}

/** As {@link readConfig}, of a text. */
export function parseConfig(text: string, file: string): Config {
  const parsed = configSchema.safeParse(parseToml(text, file));
  if (!parsed.success) {
    const faults = parsed.error.issues.flatMap(describeIssue);
    throw new AgentError("CONFIG", [`${file} cannot be used:`, ...faults.map((fault) => `  ${fault}`)].join("\n"));
  }
  const refusal = refusalOf(parsed.data);
  if (refusal !== null) throw new AgentError("CONFIG", `${file} cannot be used:\n  ${refusal}`);
  return configOf(parsed.data, file);
}

function parseToml(text: string, file: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new AgentError("CONFIG", `${file}, line ${error.line}: ${error.message.split("\n", 1)[0] ?? ""}`);
  }
}

function describeIssue(issue: z.core.$ZodIssue): string[] {
  const where = issue.path.map(String).join(".");
  if (issue.code !== "unrecognized_keys") return [`${where === "" ? "the file" : where}: ${issue.message}`];
  const known = knownKeys(issue.path);
  return issue.keys.map((key) => {
    const nearest = nearestWord(key, known);
    const place = where === "" ? "at the top level" : `in [${where}]`;
    return `unknown key "${key}" ${place}${nearest === null ? "" : `, did you mean "${nearest}"?`}`;
  });
}

function knownKeys(path: readonly PropertyKey[]): string[] {
  const [section] = path;
  const top = Object.keys(configSchema.shape);
  switch (section) {
    case undefined:
      return top;
    case "listen":
      return Object.keys(configSchema.shape.listen.unwrap().shape);
    case "buffer":
      return Object.keys(configSchema.shape.buffer.unwrap().shape);
    case "destination":
      return Object.keys(configSchema.shape.destination.shape);
    case "upload":
      return Object.keys(configSchema.shape.upload.unwrap().shape);
    case "tail":
      return Object.keys(configSchema.shape.tail.unwrap().element.shape);
    default:
      return [];
  }
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i;

/** Whether a host, as in a URL or alone, is this machine and nobody else's. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

/** What is well formed and still cannot be done. */
function refusalOf(file: ConfigFile): string | null {
  const { destination, listen, upload } = file;
  const clientParts = [destination.client_id, destination.client_secret_file].filter((part) => part !== undefined);
  if (destination.dialect === "zuora") {
    if (clientParts.length < 2) return 'destination.client_id and client_secret_file: both required by dialect "zuora"';
    if (destination.api_key_env !== undefined || destination.api_key_file !== undefined) {
      return 'destination.api_key_env and api_key_file belong to other dialects than "zuora"';
    }
  } else if (clientParts.length > 0) {
    return `destination.client_id and client_secret_file belong to dialect "zuora", not to "${destination.dialect}"`;
  }
  if (destination.api_key_env !== undefined && destination.api_key_file !== undefined) {
    return "destination.api_key_env and destination.api_key_file exclude each other";
  }
  for (const { stream } of file.tail) {
    if (parseStream(stream) === null)
      return `tail.stream: "${stream}" is no stream that can be followed, say usage/METER`;
  }
  const paths = file.tail.map(({ path }) => path);
  const twice = paths.find((path, index) => paths.indexOf(path) !== index);
  if (twice !== undefined) return `tail.path: ${twice} is followed twice`;
  if (listen.token_file === undefined && !isLoopback(listen.host)) {
    return `listen.token_file: required, because listen.host ${listen.host} can be reached from elsewhere`;
  }
  if (upload.backoff_max_ms < upload.backoff_base_ms) return "upload.backoff_max_ms: below upload.backoff_base_ms";
  return null;
}

function configOf(parsed: ConfigFile, file: string): Config {
  const { listen, buffer, destination, upload } = parsed;
  const from = (path: string) => resolve(dirname(file), path);
  return {
    file,
    id: parsed.id ?? null,
    listen: {
      host: listen.host,
      port: listen.port,
      socket: listen.socket === undefined ? null : from(listen.socket),
      tokenFile: listen.token_file === undefined ? null : from(listen.token_file),
    },
    buffer: { directory: from(buffer.path), bytesMax: buffer.max_bytes, retainHours: buffer.retain_hours },
    tails: parsed.tail.map(({ path, stream }) => ({ path: from(path), stream })),
    destination: {
      url: destination.url,
      dialect: destination.dialect,
      apiKey: keySourceOf(destination, from),
      client: clientOf(destination, from),
    },
    upload: {
      batchBytes: upload.batch_bytes,
      batchEvents: upload.batch_events,
      lingerMs: upload.linger_ms,
      concurrency: upload.concurrency,
      timeoutMs: upload.timeout_ms,
      backoffBaseMs: upload.backoff_base_ms,
      backoffMaxMs: upload.backoff_max_ms,
    },
  };
}

function clientOf(
  { client_id, client_secret_file }: ConfigFile["destination"],
  from: (path: string) => string,
): Config["destination"]["client"] {
  if (client_id === undefined || client_secret_file === undefined) return null;
  return { id: client_id, secretFile: from(client_secret_file) };
}

function keySourceOf(destination: ConfigFile["destination"], from: (path: string) => string): ApiKeySource {
  if (destination.api_key_env !== undefined) return { from: "env", name: destination.api_key_env };
  if (destination.api_key_file !== undefined) return { from: "file", path: from(destination.api_key_file) };
  return { from: "nowhere" };
}
