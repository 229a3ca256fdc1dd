/** `check` says what is wrong before `run` meets it. */
import { chmodSync, linkSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import type { Finding } from "../../agent/check/finding.ts";
import { check } from "../../agent/commands/check.ts";
import { systemClock } from "../../agent/runtime/clock.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { openDestination } from "./support/destination.ts";
import { logLines } from "./support/log-lines.ts";
import { setup as setupAgent } from "./support/setup.ts";

const KEY = "a-key-that-nobody-may-see";

/** Runs the command in this process: what it ends with, and what it prints. */
async function runCheck(file: string, json: boolean, env: Record<string, string>, clock = systemClock) {
  const stdout = new PassThrough();
  const streams = { stdin: new PassThrough(), stdout, stderr: new PassThrough() };
  const rest = { env, clock, random: Math.random, logger: logLines().logger, suppressedLines: () => 0 };
  const code = await check({ config: file, json }, { ...streams, ...rest });
  return { code, printed: String(stdout.read()) };
}

interface Sections {
  readonly port?: number;
  readonly listen?: string;
  readonly buffer?: string;
  readonly destination?: string;
  readonly upload?: string;
  readonly tails?: string;
}

async function setup(clock = systemClock) {
  const temp = tempDir("weir-check");
  const destination = await openDestination();
  destination.schemas = { streams: [{ meter_global_id: "m" }] };
  onTestFinished(async () => {
    await destination.close();
    temp.remove();
  });
  const file = join(temp.path, "weir-agent.toml");
  /** Runs `check --json` on a configuration. */
  const findingsOf = async (sections: Sections = {}, env: Record<string, string> = { KEY }) => {
    const { listen = "", buffer = 'path = "buffer"\nmax_bytes = "16 MiB"', upload = "", tails = "" } = sections;
    const there = sections.destination ?? `url = "${destination.url}"\napi_key_env = "KEY"`;
    const text = `[listen]\nport = ${sections.port ?? 0}\n${listen}\n[buffer]\n${buffer}\n[destination]\n${there}\n`;
    writeFileSync(file, `${text}[upload]\n${upload}\n${tails}`);
    const { code, printed } = await runCheck(file, true, env, clock);
    expect(printed).not.toContain(KEY);
    const findings = JSON.parse(printed) as Finding[];
    expect(code).toBe(findings.every(({ ok }) => ok) ? 0 : 1);
    return {
      findings,
      failures: findings.filter(({ ok }) => !ok).map(({ check: name, message }) => `${name}: ${message}`),
      warnings: findings.filter(({ warning }) => warning).map(({ check: name, message }) => `${name}: ${message}`),
    };
  };
  return { directory: temp.path, destination, findingsOf };
}

const matching = (text: string) => expect.stringContaining(text);

test("where all is well there is one finding of each name, and no warning", async () => {
  const { findingsOf } = await setup();
  const { findings } = await findingsOf();
  expect(findings.map(({ check: name, ok, warning }) => [name, ok, warning])).toEqual(
    ["configuration", "disk", "buffer", "destination", "credentials"].map((name) => [name, true, undefined]),
  );
});

test.each<[what: string, sections: Sections, failure: string]>([
  ["a URL with a password", { destination: `url = "http://u:${KEY}@127.0.0.1"` }, "must not hold a user or password"],
  ["a URL with a query", { destination: 'url = "http://127.0.0.1/?a=b"' }, "must not have a query"],
  ["a backoff upside down", { upload: "backoff_base_ms = 10\nbackoff_max_ms = 5" }, "below upload.backoff_base_ms"],
])("%s fails, and nothing else is looked at", async (_, sections, failure) => {
  const { findingsOf } = await setup();
  const { findings, failures } = await findingsOf(sections);
  expect(findings.length).toBe(1);
  expect(failures).toEqual([matching(failure)]);
});

const follow = (path: string, stream = "usage/m") => `[[tail]]\npath = "${path}"\nstream = "${stream}"\n`;

test.each<[what: string, sections: Sections, failures: string[]]>([
  [
    "listeners and followed files",
    {
      listen: `host = "192.0.2.1"\ntoken_file = "absent"\nsocket = "${"s".repeat(200)}"`,
      tails: `${follow("absent/f")}${follow(".")}${follow("f", "usage/x")}${follow("one")}${follow("two")}`,
    },
    [
      "configuration: listen.token_file: cannot read",
      "absent/f: cannot be read",
      ": is no file",
      "/two: is the same file as",
      "listen.host: 192.0.2.1 is no address of this machine",
      "the system takes at most",
      'the edge has no meter "x"',
    ],
  ],
  [
    "a small buffer and no key",
    {
      listen: 'token_file = "empty"\nsocket = "absent/a.sock"',
      buffer: 'path = "b"\nmax_bytes = "200 KB"',
      destination: 'url = "http://127.0.0.1:1"\napi_key_env = "NONE"',
    },
    [
      "200000 bytes hold no event",
      "is empty or not set",
      "its directory cannot be used",
      "configuration: the environment variable NONE",
      "credentials: not known",
    ],
  ],
  [
    "files where none may be, a stream the vendor does not take, nobody there",
    {
      listen: 'socket = "token"',
      buffer: 'path = "token"',
      destination: 'url = "http://127.0.0.1:1"\ndialect = "solvimon"\napi_key_env = "KEY"',
      tails: follow("f"),
    },
    [
      "is no socket; move it away",
      "disk: buffer.path: ",
      "buffer: ",
      "a solvimon destination takes no usage streams",
      "destination: http://127.0.0.1:1: nothing listens on 127.0.0.1:1 (ECONNREFUSED)",
      "credentials: not known",
    ],
  ],
])("all that is wrong is found at once: %s", async (_, sections, expected) => {
  const { findingsOf, directory } = await setup();
  writeFileSync(join(directory, "token"), "secret", { mode: 0o600 });
  writeFileSync(join(directory, "empty"), "\n", { mode: 0o600 });
  writeFileSync(join(directory, "one"), "");
  linkSync(join(directory, "one"), join(directory, "two"));
  expect((await findingsOf(sections)).failures).toEqual(expected.map(matching));
});

test("what works and needs a look is warned of, and fails nothing", async () => {
  const { findingsOf, directory, destination } = await setup();
  writeFileSync(join(directory, "open"), KEY);
  // Not at its making, where the process's umask has a say.
  chmodSync(join(directory, "open"), 0o644);
  mkdirSync(join(directory, "listed"));
  chmodSync(join(directory, "listed"), 0o755);
  const { warnings, failures } = await findingsOf({
    listen: 'token_file = "open"',
    buffer: 'path = "listed"\nmax_bytes = "1 MiB"',
    destination: `url = "${destination.url}/below"\napi_key_file = "open"`,
    upload: 'batch_bytes = "8 MB"',
  });
  expect(failures).toEqual([]);
  const expected = [
    "1048576 bytes refuse large requests",
    "upload.batch_bytes: 8000000",
    "calls go below /below",
    "listen.token_file: ",
    "destination.api_key_file: ",
    "listed: open to other users (mode 755); chmod 700 it",
  ];
  expect(warnings).toEqual(expected.map(matching));
});

test("a disk that is smaller than the buffer may grow is warned of, with both figures", async () => {
  const { findingsOf } = await setup();
  const { warnings } = await findingsOf({ buffer: 'path = "b"\nmax_bytes = "8000 TB"' });
  expect(warnings).toEqual([expect.stringMatching(/disk: .* \d+ bytes are free .*max_bytes is 8000000000000000/)]);
});

test("http to another machine and a timeout of no use are warned of", async () => {
  const { findingsOf } = await setup();
  const { warnings } = await findingsOf({
    // Of the addresses that are nobody's (RFC 5737).
    destination: 'url = "http://192.0.2.1"\napi_key_env = "KEY"',
    upload: "timeout_ms = 50",
  });
  expect(warnings).toEqual([matching("in the clear; use https"), matching("upload.timeout_ms: 50 ms")]);
});

/** Another program that listens; resolves with its port, 0 for a socket. */
async function occupy(where: string | { readonly port: 0; readonly host: string }): Promise<number> {
  const server = createServer((socket) => socket.destroy());
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(where, resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

test("a port or a socket that another program has fails", async () => {
  const { findingsOf, directory } = await setup();
  const port = await occupy({ port: 0, host: "127.0.0.1" });
  await occupy(join(directory, "taken.sock"));
  const { failures } = await findingsOf({ port, listen: 'socket = "taken.sock"' });
  expect(failures).toEqual([
    `configuration: listen.port: another program listens on 127.0.0.1:${port}; choose another port`,
    matching("listen.socket: another process listens on"),
  ]);
});

test("the edge's answer to the key is reported in its own words, and where the key came from", async () => {
  const { findingsOf, directory, destination } = await setup();
  const secret = join(directory, "key");
  writeFileSync(secret, KEY, { mode: 0o600 });
  const answers = [
    [401, "is not known there"],
    [403, "it needs METER_DATA.INGEST"],
  ] as const;
  for (const [status, words] of answers) {
    destination.schemasRefusal = { status, body: { success: false, message: "the edge's own words", reasons: [] } };
    const { failures } = await findingsOf({ destination: `url = "${destination.url}"\napi_key_file = "key"` });
    expect(failures).toEqual([matching(words)]);
    expect(failures[0]).toContain(secret);
    expect(failures[0]).toContain("the edge's own words");
  }
});

test("a clock far off the destination's is warned of, with the seconds", async () => {
  const { findingsOf } = await setup({ ...systemClock, now: () => Date.now() - 3_600_000 });
  const { warnings, failures } = await findingsOf();
  expect(failures).toEqual([]);
  expect(warnings).toEqual([expect.stringMatching(/^destination: this machine's clock is 3(59|60)\d s behind/)]);
});

test("a proxy that is no URL fails without its value being shown", async () => {
  const { findingsOf } = await setup();
  for (const proxy of [`http://user:${KEY}@:none`, `http://user:%${KEY}@127.0.0.1`, `ftp://${KEY}@127.0.0.1`]) {
    const { failures } = await findingsOf({}, { KEY, HTTP_PROXY: proxy });
    expect(failures[0]).toContain("the environment variable HTTP_PROXY is no proxy's URL");
  }
});

test("an agent's own port and buffer are no trouble to it", async () => {
  await using agent = await setupAgent({ schemas: { streams: [] } });
  const file = join(agent.directory, "weir-agent.toml");
  const run = (port: string) => {
    const there = `url = "${agent.destination.url}"\napi_key_env = "KEY"`;
    const buffer = 'path = "buffer"\nmax_bytes = "16 MiB"';
    writeFileSync(file, `[listen]\nport = ${port}\n[buffer]\n${buffer}\n[destination]\n${there}\n`);
    return runCheck(file, false, { KEY });
  };
  expect(await run(new URL(agent.agent.url).port)).toMatchObject({ code: 0 });
  const other = await occupy({ port: 0, host: "127.0.0.1" });
  const refused = await run(String(other));
  expect(refused.code).toBe(1);
  expect(refused.printed).toMatch(/^FAILED {2}configuration: listen.port: another program listens on/m);
});
