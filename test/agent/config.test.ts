import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseConfig } from "../../agent/config/config.ts";
import { readApiKey } from "../../agent/config/secrets.ts";
import { parseSize } from "../../agent/config/size.ts";
import { AgentError } from "../../agent/runtime/agent-error.ts";

const MINIMAL = '[destination]\nurl = "http://edge"\napi_key_env = "KEY"\n';
const parse = (text: string) => parseConfig(text, "/etc/weir/agent.toml");

function refusal(text: string): string {
  try {
    parse(text);
    return "";
  } catch (error) {
    if (error instanceof AgentError && error.code === "CONFIG") return error.message;
    throw error;
  }
}

test("a destination is all a configuration needs; the rest has defaults", () => {
  expect(parse(MINIMAL)).toEqual({
    file: "/etc/weir/agent.toml",
    id: null,
    listen: { host: "127.0.0.1", port: 8788, socket: null, tokenFile: null },
    tails: [],
    buffer: { directory: "/etc/weir/weir-buffer", bytesMax: 2 * 2 ** 30, retainHours: 24 },
    destination: { url: "http://edge", dialect: "edge", apiKey: { from: "env", name: "KEY" }, client: null },
    upload: {
      batchBytes: 1_000_000,
      batchEvents: 10_000,
      lingerMs: 200,
      concurrency: 4,
      timeoutMs: 30_000,
      backoffBaseMs: 500,
      backoffMaxMs: 60_000,
    },
  });
});

test("the sample says the defaults", () => {
  const sample = parse(readFileSync(new URL("../../agent/config/weir-agent.sample.toml", import.meta.url), "utf8"));
  const { destination: _, ...defaults } = parse(MINIMAL);
  expect(sample).toMatchObject(defaults);
});

test.each([
  ["port = 1", 'unknown key "port" at the top level'],
  ["[bufer]", 'unknown key "bufer" at the top level, did you mean "buffer"?'],
  ['[buffer]\nmax_byte = "1 GB"', 'unknown key "max_byte" in [buffer], did you mean "max_bytes"?'],
  ["[upload]\nlinger = 5", 'unknown key "linger" in [upload], did you mean "linger_ms"?'],
  ["[listen]\nzzzzzzzzzzzz = 1", 'unknown key "zzzzzzzzzzzz" in [listen]'],
  ['[buffer]\nmax_bytes = "2 gallons"', 'buffer.max_bytes: must be a size such as "2 GiB"'],
  ["[listen]\nport = 70000", "listen.port: "],
  ['id = "a b"', "id: must be 1 to 119 of"],
  ['[listen]\nhost = "0.0.0.0"', "listen.token_file: required"],
  ['[[tail]]\npath = "p"\nstream = "m"', "tail.stream"],
  ['[[tail]]\npath = "p"\nstream = "usage/m"\n[[tail]]\npath = "p"\nstream = "usage/n"', "followed twice"],
  ["[listen\n", "line 5"],
])("%j is refused: %s", (text, message) => {
  // Keys of the top level must come before the first table.
  const whole = text.startsWith("[") ? MINIMAL + text : `${text}\n${MINIMAL}`;
  expect(refusal(text === "[listen\n" ? `${MINIMAL}\n[listen\n` : whole)).toContain(message);
});

test("a destination is required, and its credentials are those of its dialect", () => {
  expect(refusal("")).toContain("destination");
  expect(refusal('[destination]\nurl = "ftp://x"')).toContain("destination.url: must be an http or https URL");
  expect(refusal(`${MINIMAL}dialect = "zuora"`)).toContain("client_id and client_secret_file: both required");
  const client = 'client_id = "c"\nclient_secret_file = "s"\n';
  expect(refusal(`${MINIMAL}dialect = "zuora"\n${client}`)).toContain('belong to other dialects than "zuora"');
  expect(refusal(`${MINIMAL}dialect = "solvimon"\n${client}`)).toContain('belong to dialect "zuora"');
  expect(refusal(`${MINIMAL}api_key_file = "x"`)).toContain("exclude each other");
});

test("every fault is named at once", () => {
  const message = refusal(`${MINIMAL}[listen]\nport = -1\n[upload]\nconcurency = 2`);
  expect(message).toContain("listen.port");
  expect(message).toContain('did you mean "concurrency"?');
});

test("sizes are read as people write them", () => {
  const sizes: [string, number | null][] = [
    ["1 MB", 1e6],
    ["1MiB", 2 ** 20],
    ["1.5 kb", 1500],
    ["2 GiB", 2 ** 31],
    ["512", 512],
    ["-1", null],
    ["1 XB", null],
    ["", null],
  ];
  for (const [text, bytes] of sizes) expect([text, parseSize(text)]).toEqual([text, bytes]);
});

test("a key that is missing, empty or broken is refused, naming where it was looked for", () => {
  const source = { from: "env", name: "KEY" } as const;
  expect(readApiKey(source, { KEY: " k1\n" })).toBe("k1");
  expect(() => readApiKey(source, {})).toThrow("KEY");
  expect(() => readApiKey(source, { KEY: "a\nb" })).toThrow("KEY");
  expect(() => readApiKey({ from: "file", path: "/nowhere/key" }, {})).toThrow("/nowhere/key");
});
