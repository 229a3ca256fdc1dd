/** What the command line says to what people get wrong: the line each prints, and what it never prints. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { main } from "../../agent/main.ts";
import { systemClock } from "../../agent/runtime/clock.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { openDestination } from "./support/destination.ts";
import { logLines } from "./support/log-lines.ts";

const KEY = "a-key-that-nobody-may-see";

interface Mistake {
  readonly args?: readonly string[];
  readonly top?: string;
  readonly listen?: string;
  readonly buffer?: string;
  /** In place of a right one. */
  readonly destination?: string;
  readonly upload?: string;
  readonly more?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The whole text of the file; null for no file. */
  readonly text?: string | null;
}

interface Place {
  readonly url: string;
  readonly port: number;
  readonly deadPort: number;
  readonly directory: string;
}

type Case = readonly [what: string, mistake: (at: Place) => Mistake, code: 0 | 1 | 2, line: (at: Place) => string];

/** Text that is in the line; the rest of it may say more. */
const says = (text: string) => () => text;
const API = 'api_key_env = "KEY"';
const there = ({ url }: Place) => `url = "${url}"\n${API}`;

const CASES: readonly Case[] = [
  ["no file", () => ({ text: null }), 1, ({ directory }) => `cannot read ${directory}/a.toml: there is no such file`],
  ["broken TOML", () => ({ text: "[listen\n" }), 1, says("a.toml, line 1: ")],
  ["an empty file", () => ({ text: "" }), 1, says("destination.url: is required")],
  [
    "port 80000",
    () => ({ listen: "port = 80000" }),
    1,
    says("listen.port: must be a whole number from 0 to 65,535, not 80000"),
  ],
  [
    "a port in words",
    () => ({ listen: 'port = "http"' }),
    1,
    says('listen.port: must be a whole number from 0 to 65,535, not "http"'),
  ],
  [
    "half a port",
    () => ({ listen: "port = 80.5" }),
    1,
    says("listen.port: must be a whole number from 0 to 65,535, not 80.5"),
  ],
  ["a number as host", () => ({ listen: "host = 5" }), 1, says("listen.host: must be a text in quotes, not 5")],
  ["an empty host", () => ({ listen: 'host = ""' }), 1, says("listen.host: must not be empty")],
  [
    "an open host without token",
    () => ({ listen: 'host = "0.0.0.0"' }),
    1,
    says("listen.token_file: required, because listen.host 0.0.0.0 can be reached from elsewhere"),
  ],
  [
    "a token file that is not there",
    () => ({ listen: 'token_file = "absent"' }),
    1,
    ({ directory }) => `listen.token_file: cannot read ${directory}/absent: there is no such file (ENOENT)`,
  ],
  [
    "a directory as token file",
    () => ({ listen: 'token_file = "folder"' }),
    1,
    ({ directory }) => `listen.token_file: cannot read ${directory}/folder: it is a directory (EISDIR)`,
  ],
  [
    "a token that others can read",
    () => ({ listen: 'token_file = "open"' }),
    0,
    ({ directory }) =>
      `WARNING configuration: listen.token_file: ${directory}/open is open to other users (mode 644); chmod 600 it`,
  ],
  [
    "a key that others can read",
    ({ url }) => ({ destination: `url = "${url}"\napi_key_file = "open"` }),
    0,
    ({ directory }) => `WARNING configuration: destination.api_key_file: ${directory}/open is open to other users`,
  ],
  [
    "an address of another machine",
    () => ({ listen: 'host = "192.0.2.1"\ntoken_file = "private"' }),
    1,
    says("listen.host: 192.0.2.1 is no address of this machine"),
  ],
  [
    "a port that is taken",
    ({ port }) => ({ listen: `port = ${port}` }),
    1,
    ({ port }) => `listen.port: another program listens on 127.0.0.1:${port}; choose another port`,
  ],
  [
    "a socket's name too long",
    () => ({ listen: `socket = "${"s".repeat(120)}"` }),
    1,
    says("the system takes at most"),
  ],
  [
    "a file as buffer",
    () => ({ buffer: 'path = "private"' }),
    1,
    ({ directory }) => `buffer.path: ${directory}/private cannot be used: a file is there, not a directory`,
  ],
  [
    "a buffer below a file",
    () => ({ buffer: 'path = "private/buffer"' }),
    1,
    ({ directory }) =>
      `buffer.path: ${directory}/private/buffer cannot be used: a part of the path is a file, not a directory (ENOTDIR)`,
  ],
  [
    "a size nobody knows",
    () => ({ buffer: 'max_bytes = "2 gallons"' }),
    1,
    says('buffer.max_bytes: must be a size such as "2 GiB", "1 MB" or a number of bytes, not "2 gallons"'),
  ],
  ["a size below nothing", () => ({ buffer: "max_bytes = -1" }), 1, says("buffer.max_bytes: must be a size such as")],
  [
    "a buffer too small for an event",
    () => ({ buffer: 'max_bytes = "10 KB"' }),
    1,
    says("buffer.max_bytes: 10000 bytes hold no event; at least 262144"),
  ],
  [
    "no retention",
    () => ({ buffer: "retain_hours = 0" }),
    1,
    says("buffer.retain_hours: must be a number above 0 and at most 8,760, not 0"),
  ],
  [
    "a mistyped key",
    () => ({ buffer: 'max_byte = "1 GB"' }),
    1,
    says('unknown key "max_byte" in [buffer], did you mean "max_bytes"?'),
  ],
  [
    "a mistyped table",
    () => ({ more: "[uplod]\nconcurrency = 1" }),
    1,
    says('unknown key "uplod" at the top level, did you mean "upload"?'),
  ],
  [
    "a key in the wrong table",
    () => ({ listen: "linger_ms = 1" }),
    1,
    says('unknown key "linger_ms" in [listen]; it belongs in [upload]'),
  ],
  [
    "a setting above its table",
    () => ({ top: "port = 1" }),
    1,
    says('unknown key "port" at the top level; it belongs in [listen]'),
  ],
  [
    "a producer's name with a space",
    () => ({ top: 'id = "plant 7"' }),
    1,
    says("id: must be 1 to 119 of A-Z a-z 0-9 . _ -"),
  ],
  [
    "one bracket for a followed file",
    () => ({ more: '[tail]\npath = "f"' }),
    1,
    says("tail: must be tables of their own: write [[tail]], with two brackets"),
  ],
  ["a followed file without stream", () => ({ more: '[[tail]]\npath = "f"' }), 1, says("tail.stream: is required")],
  [
    "a stream that there is not",
    () => ({ more: '[[tail]]\npath = "f"\nstream = "web"' }),
    1,
    says('tail.stream: "web" is no stream that can be followed, say usage/METER'),
  ],
  [
    "a meter that the edge has not",
    () => ({ more: '[[tail]]\npath = "f"\nstream = "usage/other"' }),
    1,
    says('the edge has no meter "other"'),
  ],
  [
    "a followed directory",
    () => ({ more: '[[tail]]\npath = "folder"\nstream = "usage/m"' }),
    1,
    says("folder: is no file"),
  ],
  ["no URL", () => ({ destination: API }), 1, says("destination.url: is required")],
  [
    "a URL without scheme",
    () => ({ destination: `url = "edge.example.com"\n${API}` }),
    1,
    says("destination.url: must be an http or https URL"),
  ],
  [
    "a URL with a password",
    () => ({ destination: `url = "http://u:${KEY}@127.0.0.1"\n${API}` }),
    1,
    says("destination.url: must not hold a user or password"),
  ],
  [
    "no key at all",
    ({ url }) => ({ destination: `url = "${url}"` }),
    1,
    says("destination.api_key_env or destination.api_key_file is required"),
  ],
  [
    "a key in the file itself",
    (at) => ({ destination: `${there(at)}\napi_key = "${KEY}"` }),
    1,
    says('unknown key "api_key" in [destination], did you mean "api_key_env"?'),
  ],
  [
    "a variable that is not set, as key",
    ({ url }) => ({ destination: `url = "${url}"\napi_key_env = "ABSENT_KEY"` }),
    1,
    says("the environment variable ABSENT_KEY (destination.api_key_env) is empty or not set"),
  ],
  [
    "a variable that is not set, as URL",
    () => ({ destination: `url = "\${ABSENT_URL}"\n${API}` }),
    1,
    says("destination.url: the environment variable ABSENT_URL is not set"),
  ],
  [
    "a dialect nobody speaks",
    (at) => ({ destination: `${there(at)}\ndialect = "stripe"` }),
    1,
    says('destination.dialect: must be "edge", "zuora" or "solvimon", not "stripe"'),
  ],
  [
    "Zuora without a client",
    ({ url }) => ({ destination: `url = "${url}"\ndialect = "zuora"\nclient_id = "c"` }),
    1,
    says('destination.client_secret_file: required by dialect "zuora"'),
  ],
  [
    "backoffs upside down",
    () => ({ upload: "backoff_base_ms = 100\nbackoff_max_ms = 10" }),
    1,
    says("upload.backoff_max_ms: 10 is below upload.backoff_base_ms (100)"),
  ],
  [
    "no calls at once",
    () => ({ upload: "concurrency = 0" }),
    1,
    says("upload.concurrency: must be a whole number from 1 to 64, not 0"),
  ],
  [
    "nobody at the destination",
    ({ deadPort }) => ({ destination: `url = "http://127.0.0.1:${deadPort}"\n${API}` }),
    1,
    ({ deadPort }) => `nothing listens on 127.0.0.1:${deadPort} (ECONNREFUSED)`,
  ],
  [
    "https to a port of http",
    ({ url }) => ({ destination: `url = "${url.replace("http:", "https:")}"\n${API}` }),
    1,
    ({ url }) =>
      `${new URL(url).host} does not speak TLS: say http:// instead of https://, or give the port that takes https`,
  ],
  [
    "a proxy that is down",
    ({ deadPort }) => ({ env: { HTTP_PROXY: `http://user:${KEY}@127.0.0.1:${deadPort}` } }),
    1,
    ({ deadPort }) => `the proxy 127.0.0.1:${deadPort} (environment variable HTTP_PROXY) is not there: nothing listens`,
  ],
  [
    "a proxy for https that is down",
    ({ deadPort }) => ({
      env: { https_proxy: `127.0.0.1:${deadPort}` },
      destination: `url = "https://edge.example"\n${API}`,
    }),
    1,
    ({ deadPort }) => `the proxy 127.0.0.1:${deadPort} (environment variable https_proxy) is not there`,
  ],
  [
    "a proxy that is no URL",
    () => ({ env: { HTTP_PROXY: "ftp://proxy" } }),
    1,
    says("the environment variable HTTP_PROXY is no proxy's URL: say http://host:port"),
  ],
  [
    "another configuration than there is",
    () => ({ args: ["status", "--config", "nowhere.toml"] }),
    2,
    says("cannot read nowhere.toml: there is no such file (ENOENT); `weir-agent sample` prints one to begin with"),
  ],
  ["no command of ours", () => ({ args: ["stat"] }), 2, says("unknown command 'stat'")],
  ["a stream's name left out", () => ({ args: ["send"] }), 2, says("required option '--stream <name>' not specified")],
  [
    "a stream misspelt",
    () => ({ args: ["send", "--stream", "web"] }),
    2,
    says("--stream web: no stream's name, say usage/METER or persist"),
  ],
  ["a timeout in words", () => ({ args: ["drain", "--timeout", "soon"] }), 2, says("a number of seconds")],
  [
    "an entry's number in words",
    () => ({ args: ["quarantine", "show", "first"] }),
    2,
    says("a number, as `quarantine list` shows it"),
  ],
];

test("there are at least forty", () => {
  expect(CASES.length).toBeGreaterThanOrEqual(40);
});

async function setup(): Promise<Place> {
  const temp = tempDir("weir-mistake");
  const destination = await openDestination();
  destination.schemas = { streams: [{ meter_global_id: "m" }] };
  const other = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const dead = createServer();
  await new Promise<void>((resolve) => dead.listen(0, "127.0.0.1", resolve));
  const portOf = (server: typeof other) => (server.address() as { port: number }).port;
  const place = { url: destination.url, port: portOf(other), deadPort: portOf(dead), directory: temp.path };
  await new Promise((resolve) => dead.close(resolve));
  onTestFinished(async () => {
    await destination.close();
    other.close();
    temp.remove();
  });
  mkdirSync(join(temp.path, "folder"));
  writeFileSync(join(temp.path, "private"), "token\n", { mode: 0o600 });
  writeFileSync(join(temp.path, "open"), "token\n");
  chmodSync(join(temp.path, "open"), 0o644);
  return place;
}

function textOf(
  { top = "", listen = "", buffer = "", destination, upload = "", more = "" }: Mistake,
  at: Place,
): string {
  const port = /^port/m.test(listen) ? "" : "port = 0";
  const path = /^path/m.test(buffer) ? "" : 'path = "buffer"';
  const bound = /^max_bytes/m.test(buffer) ? "" : 'max_bytes = "16 MiB"';
  const sections = { listen: `${port}\n${listen}`, buffer: `${path}\n${bound}\n${buffer}`, upload };
  const tables = Object.entries({ ...sections, destination: destination ?? there(at) });
  return `${top}\n${tables.map(([name, text]) => `[${name}]\n${text}`).join("\n")}\n${more}\n`;
}

/** Words of the parts the agent is made of, which say nothing to whoever runs it. */
const RAW = /zod|[Ii]nvalid input|expected (string|number|object)|SSL routines|[A-Z]\w*Error:|\n {4}at /;

test.each(CASES)("%s: one line that says what to do", async (_, mistakeAt, code, line) => {
  const place = await setup();
  const mistake = mistakeAt(place);
  const file = join(place.directory, "a.toml");
  const text = mistake.text === undefined ? textOf(mistake, place) : mistake.text;
  if (text !== null) writeFileSync(file, text);
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const streams = { stdin: new PassThrough(), stdout, stderr };
  const rest = { clock: systemClock, random: Math.random, logger: logLines().logger, suppressedLines: () => 0 };
  const env = { KEY, ...mistake.env };
  const args = mistake.args ?? ["check", "--config", file];
  expect(await main(args, { ...streams, ...rest, env })).toBe(code);
  const printed = `${stdout.read() ?? ""}${stderr.read() ?? ""}`;
  const expected = line(place);
  expect(printed).toContain(expected);
  expect(printed.split("\n").filter((part) => part.includes(expected))).toHaveLength(1);
  // The folder's name is random: it may well hold such a word.
  expect(printed.replaceAll(place.directory, "")).not.toMatch(RAW);
  expect(printed).not.toContain(KEY);
});
