/**
 * Every setting, declared once: its key in the TOML, the values it takes, its default and what it does. The type of the
 * configuration, the check of a file and the sample with its explanations all follow from this table.
 */
import { VENDOR_NAMES } from "../../shared/vendors/vendors.ts";
import { baseUrl, integer, oneOf, path, positive, size, text, texts, type ValueKind } from "./value-kinds.ts";

export interface Setting<T> {
  readonly key: string;
  readonly kind: ValueKind<NonNullable<T>>;
  readonly presence: "default" | "optional" | "required";
  /** The default, or the sample's example of a setting that has none. */
  readonly sample: string | number | readonly string[];
  /** For the sample: what it does, the units, what is special about it. */
  readonly about: string;
}

type Declared<T> = Omit<Setting<T>, "presence">;

const setting = <T>(declared: Declared<T>): Setting<T> => ({ ...declared, presence: "default" });
const optional = <T>(declared: Declared<T>): Setting<T | null> =>
  ({ ...declared, presence: "optional" }) as Setting<T | null>;
const required = <T>(declared: Declared<T>): Setting<T> => ({ ...declared, presence: "required" });

/** Room for a dot and the log's eight characters within the 128 of a producer's name on the wire. */
const ID = { like: /^[A-Za-z0-9._-]{1,119}$/, words: "1 to 119 of A-Z a-z 0-9 . _ -" };

const TOP = {
  id: optional({
    ...{ key: "id", kind: text(ID), sample: "plant-7" },
    about:
      "The producer's name, 1 to 119 of A-Z a-z 0-9 . _ - ; made at the first start and kept in the buffer. " +
      "A buffer that has taken events keeps its name: positions belong to it.",
  }),
};

const MAX_BODY_BYTES = 64_000_000;

const LISTEN = {
  host: setting({ key: "host", kind: text(), sample: "127.0.0.1", about: "" }),
  port: setting({
    ...{ key: "port", kind: integer(0, 65_535), sample: 8788 },
    about: "0 picks a free port; `run` prints it.",
  }),
  tokenFile: optional({
    ...{ key: "token_file", kind: path(), sample: "ingest-token" },
    about:
      "File with a token that every request but /healthz must carry, as `X-API-KEY: TOKEN` or `Authorization: Bearer " +
      "TOKEN`. Required where host is not a loopback address.",
  }),
  hosts: setting<readonly string[]>({
    ...{ key: "hosts", kind: texts(), sample: [] },
    about:
      'Further names by which clients reach it, say ["agent.internal"]. A request whose Host is none of these, not ' +
      "where it listens and not loopback gets 403, as does every request of a web page.",
  }),
  bodyBytesMax: setting({
    ...{ key: "max_body_bytes", kind: size(MAX_BODY_BYTES), sample: "16 MB" },
    about:
      "Bounds of one request: bytes after inflation, at most 64 MB, and events. What is more gets 413. What is larger " +
      "than a call is cut up for uploading. Four bodies of this size are in memory at once, at most.",
  }),
  eventsMax: setting({ key: "max_events", kind: integer(1, 1_000_000), sample: 200_000, about: "" }),
  socket: optional({
    ...{ key: "socket", kind: path(), sample: "/run/weir-agent/agent.sock" },
    about:
      "A unix socket that takes the same requests without a token, open to the agent's user and group (mode 0660).",
  }),
};

const BUFFER = {
  directory: setting({
    ...{ key: "path", kind: path(), sample: "weir-buffer" },
    about: "Directory of the event log; made if absent, readable by the agent's user only. Local disk, not NFS.",
  }),
  bytesMax: setting({
    ...{ key: "max_bytes", kind: size(), sample: "2 GiB" },
    about:
      "Bound of its files, a reserve of at most 8 MiB for a full disk included. At the bound requests are answered 429; " +
      "nothing kept is ever dropped. Sizes: a number of bytes, or KB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB " +
      "(powers of 1024).",
  }),
  retainHours: setting({
    ...{ key: "retain_hours", kind: positive(8760), sample: 24 },
    about:
      "How long Idempotency-Keys are remembered (whole bodies without one: the last million), and delivered batches kept (within max_bytes) for `audit --repair`: " +
      "hours in which an agent ran, whatever the time of day did meanwhile.",
  }),
};

const DESTINATION = {
  url: required({
    ...{ key: "url", kind: baseUrl(), sample: "https://weir.example.com" },
    about:
      "Required. The base URL: the edge's, or a vendor's own; no user, password or query. Proxies: HTTP_PROXY, " +
      "HTTPS_PROXY, NO_PROXY. A certificate of your own authority: NODE_EXTRA_CA_CERTS=/path/ca.pem in the agent's " +
      "environment.",
  }),
  dialect: setting({
    ...{ key: "dialect", kind: oneOf(...VENDOR_NAMES), sample: "edge" },
    about:
      'What speaks there. "edge": Weir\'s own. "zuora", "solvimon": the vendor itself, with no edge between; its kind ' +
      "of event goes out, any other stays pending, and the status says so. Changing it takes a restart.",
  }),
  apiKeyEnv: optional({
    ...{ key: "api_key_env", kind: text(), sample: "WEIR_API_KEY" },
    about:
      'Dialects "edge" and "solvimon": where the API key comes from. One of the two is required: the name of an ' +
      "environment variable, or a file that holds nothing else.",
  }),
  apiKeyFile: optional({ key: "api_key_file", kind: path(), sample: "/etc/weir/api-key", about: "" }),
  clientId: optional({
    ...{ key: "client_id", kind: text(), sample: "a-client" },
    about: 'Dialect "zuora" instead, both required there: the OAuth client, and its secret alone in a file.',
  }),
  clientSecretFile: optional({ key: "client_secret_file", kind: path(), sample: "/etc/weir/zuora-secret", about: "" }),
};

const WAIT_MS_MAX = 3_600_000;

const UPLOAD = {
  batchBytes: setting({
    ...{ key: "batch_bytes", kind: size(), sample: "1 MB" },
    about: "A call's bounds, before compression. The edge takes at most 4,000,000 bytes and 10,000 events.",
  }),
  batchEvents: setting({ key: "batch_events", kind: integer(1, 10_000), sample: 10_000, about: "" }),
  lingerMs: setting({
    ...{ key: "linger_ms", kind: integer(0, WAIT_MS_MAX), sample: 200 },
    about: "How long events wait for company before a call that is not full goes out.",
  }),
  concurrency: setting({
    ...{ key: "concurrency", kind: integer(1, 64), sample: 4 },
    about: "Calls under way at once, over all streams.",
  }),
  timeoutMs: setting({
    ...{ key: "timeout_ms", kind: integer(1, 600_000), sample: 30_000 },
    about: "Bounds a whole exchange, from connecting to the last byte of the answer.",
  }),
  backoffBaseMs: setting({
    ...{ key: "backoff_base_ms", kind: integer(1, WAIT_MS_MAX), sample: 500 },
    about:
      "After a failure: a random wait of up to base, doubled with each further failure, at most max. Refused " +
      "credentials and unknown meters are tried again every backoff_max_ms, and at SIGHUP.",
  }),
  backoffMaxMs: setting({ key: "backoff_max_ms", kind: integer(1, WAIT_MS_MAX), sample: 60_000, about: "" }),
};

const TAIL = {
  path: required({ key: "path", kind: path(), sample: "/var/log/app/usage.ndjson", about: "" }),
  stream: required({ key: "stream", kind: text(), sample: "usage/METER", about: "" }),
  intervalMs: setting({
    ...{ key: "interval_ms", kind: integer(10, WAIT_MS_MAX), sample: 200 },
    about: "How often is looked for new lines.",
  }),
};

/** The settings of each table, in the order of the sample; `top` are those before the first. */
export const SETTINGS = { top: TOP, listen: LISTEN, buffer: BUFFER, destination: DESTINATION, upload: UPLOAD };

/** The settings of each `[[tail]]`. */
export const TAIL_SETTINGS = TAIL;
export const TAIL_ABOUT =
  "A file that is followed, or all that a pattern names (/var/log/app/*.ndjson), one table each: every line is an event " +
  "of `stream`. Read from its beginning at first, over rotation within its directory; a line that is no event goes to " +
  "quarantine. A SIGHUP takes new ones up and ends those that are gone.";

type SettingsTable = Readonly<Record<string, Setting<unknown>>>;

/** The values of a table's settings by their names; null for an optional one that is not set. */
export type ValuesOf<T> = { readonly [Name in keyof T]: T[Name] extends Setting<infer Value> ? Value : never };

export type SettingValues = { readonly [Table in keyof typeof SETTINGS]: ValuesOf<(typeof SETTINGS)[Table]> };

export type TailValues = ValuesOf<typeof TAIL>;

/** The tables by name, for whoever goes through all of them. */
export const TABLES: Readonly<Record<keyof typeof SETTINGS, SettingsTable>> = SETTINGS;
