// biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is the configuration's own form
import { expect, test } from "vitest";
import { parseConfig } from "../../agent/config/config.ts";
import { sampleText } from "../../agent/config/sample.ts";
import { readApiKey } from "../../agent/config/secrets.ts";
import { TABLES, TAIL_SETTINGS } from "../../agent/config/settings.ts";
import { parseSize } from "../../agent/config/size.ts";
import { AgentError } from "../../agent/runtime/agent-error.ts";

const MINIMAL = '[destination]\nurl = "http://edge"\napi_key_env = "KEY"\n';
const ENV = { WEIR_URL: "https://edge.example.com", PORT: "9000", EMPTY: "", NAMES: "${PORT}" };
const parse = (text: string) => parseConfig(text, "/etc/weir/agent.toml", ENV);

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
    listen: {
      ...{ host: "127.0.0.1", port: 8788, socket: null, tokenFile: null },
      ...{ hosts: [], bodyBytesMax: 16_000_000, eventsMax: 200_000 },
    },
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
  const { destination: _, ...defaults } = parse(MINIMAL);
  expect(parse(sampleText())).toMatchObject(defaults);
});

test("every setting is in the sample once, with what it does, set or commented out, and the sample is all of TOML", () => {
  const lines = sampleText().split("\n");
  const settings = [...Object.values(TABLES), TAIL_SETTINGS].flatMap((table) => Object.values(table));
  for (const { key, sample } of settings) {
    const line = `${key} = ${JSON.stringify(sample)}`;
    expect([key, lines.filter((text) => text.replace("# ", "") === line).length]).toEqual([key, 1]);
  }
  const uncommented = lines
    .map((line) => line.replace(/^# (\w+ = |\[\[)/, "$1"))
    .filter((line) => !line.startsWith("#"));
  const all = uncommented.filter((line) => !/^(api_key_file|client_)/.test(line)).join("\n");
  expect(parse(all)).toMatchObject({ id: "plant-7", tails: [{ stream: "usage/METER" }] });
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(120);
});

test("a variable of the environment stands in any text, also for a number, and never twice", () => {
  const config = parse(
    'id = "a-${PORT}"\n[listen]\nport = "${PORT}"\n[buffer]\npath = "$${PORT}/${NAMES}"\n[destination]\nurl = "${WEIR_URL}"\napi_key_env = "K"',
  );
  expect(config).toMatchObject({ id: "a-9000", listen: { port: 9000 }, destination: { url: ENV.WEIR_URL } });
  expect(config.buffer.directory).toBe("/etc/weir/${PORT}/${PORT}");
});

test.each([
  ['url = "${NOT_SET}"', "destination.url: the environment variable NOT_SET is not set"],
  ['url = "${not a name}"', "destination.url: ${not a name} names no environment variable; write $${ for a plain ${"],
  ['url = "${EMPTY}"', "destination.url: must be an http or https URL"],
])("a reference that leads nowhere is named with its setting: %s", (line, message) => {
  expect(refusal(`[destination]\n${line}\napi_key_env = "K"`)).toContain(message);
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
  expect(refusal(`${MINIMAL}dialect = "zuora"`)).toContain('destination.client_id: required by dialect "zuora"');
  const client = 'client_id = "c"\nclient_secret_file = "s"\n';
  expect(refusal(`${MINIMAL}dialect = "zuora"\n${client}`)).toContain('belong to other dialects than "zuora"');
  expect(refusal(`${MINIMAL}dialect = "solvimon"\n${client}`)).toContain('belong to dialect "zuora"');
  expect(refusal(`${MINIMAL}api_key_file = "x"`)).toContain("exclude each other");
});

test("every error of the file is named at once", () => {
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
