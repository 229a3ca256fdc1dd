/** What others wrote is shown on a terminal, and does nothing there. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openStore } from "../../agent/buffer/store.ts";
import { NO_SCOPE } from "../../agent/buffer/tables/scope.ts";
import { statusScreen } from "../../agent/commands/status-screen.ts";
import { metricsText } from "../../agent/operator/metrics.ts";
import type { StatusDocument } from "../../agent/operator/status.ts";
import { prettyLine } from "../../agent/runtime/logger.ts";
import { visible, visibleLines } from "../../agent/runtime/visible-text.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { runInProcess } from "./support/in-process.ts";
import { packEvents } from "./support/pack-events.ts";

/** Moves the cursor, changes the title, colours, rings, erases; C1's own escape; turns the reading direction round. */
const HOSTILE = "\u001b[2J\u001b]0;owned\u0007\u001b[31mred\u007f\b\r\u009b1A\u0085\u202eevil\u2066\u200f\u061c\u2028";
/** All that a terminal would act on; line breaks are looked at by themselves. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
const ACTIVE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

test("control characters, C1's too, and what turns the reading direction round are written out; all else stays", () => {
  expect(visible("a\u001b[1m\n\t\r\u007f\u009b\u202e")).toBe("a\\u001b[1m\\n\\t\\r\\u007f\\u009b\\u202e");
  expect(visible(HOSTILE)).not.toMatch(ACTIVE);
  for (const text of ["größe 漢字 🙂 \u0301", 'a \\ "b" {}', ""]) expect(visible(text)).toBe(text);
  for (let code = 0; code < 0x10000; code++) {
    const character = String.fromCharCode(code);
    expect(ACTIVE.test(visible(character)) || visible(character).includes("\n")).toBe(false);
  }
});

test("a document in JSON keeps its lines and its meaning", () => {
  const document = { why: HOSTILE, nested: [HOSTILE] };
  const shown = visibleLines(JSON.stringify(document, null, 2));
  expect(shown).not.toMatch(ACTIVE);
  expect(JSON.parse(shown)).toEqual(document);
});

function quarantined() {
  const { path, remove } = tempDir("weir-terminal");
  onTestFinished(remove);
  const directory = join(path, "buffer");
  const event = JSON.stringify({ CustomerId: HOSTILE });
  const store = openStore({ directory, bytesMax: 64e6 });
  const append = { stream: "usage/m", scope: { ...NO_SCOPE, entityIds: "e\u009b1" }, receivedAt: 1000, strict: false };
  store.run([{ kind: "append", ...append, events: packEvents([event]), idempotency: null }]);
  const quarantine = [{ position: 1, reason: { status: 422, code: "x\u001b", message: `no\n${HOSTILE}` } }];
  store.run([{ kind: "settle", stream: "usage/m", first: 1, count: 1, at: 2000, quarantine }]);
  store.close();
  const configFile = join(path, "weir-agent.toml");
  writeFileSync(
    configFile,
    `[buffer]\npath = ${JSON.stringify(directory)}\n[destination]\nurl = "http://127.0.0.1:1"\napi_key_env = "KEY"\n`,
  );
  return { path, configFile };
}

test("quarantine shows events and a vendor's words on a terminal with nothing in them that acts there", async () => {
  const { configFile } = quarantined();
  const on = (args: readonly string[], terminal: number | null = 80) =>
    runInProcess(["quarantine", ...args, "--config", configFile], { terminal });
  const list = await on(["list"]);
  expect(list.stdout.split("\n")).toHaveLength(3);
  expect(list.stdout).toContain("\\u001b[2J");
  for (const args of [["list"], ["list", "--json"], ["show", "1"], ["export"]]) {
    const { code, stdout, stderr } = await on(args);
    expect([code, stdout.replaceAll("\n", ""), stderr]).toEqual([0, expect.not.stringMatching(ACTIVE), ""]);
  }
  // A program gets the very JSON; on a terminal it says the same.
  const raw = JSON.parse((await on(["list"], null)).stdout);
  expect(raw[0].reason.message).toBe(`no\n${HOSTILE}`);
  expect(JSON.parse((await on(["list", "--json"])).stdout)).toEqual(raw);
});

test("names of files, values of settings and arguments are shown with nothing in them that acts", async () => {
  const { path, configFile } = quarantined();
  const text = (file: string) => writeFileSync(configFile, file);
  const check = () => runInProcess(["check", "--config", configFile], { terminal: 80 });
  const rest = 'api_key_env = "KEY"\n';
  text(`[destination]\ndialect = "\\u001b[2J\\u009b\\u202e"\nurl = "http://127.0.0.1:1"\n${rest}`);
  const printed = [await check()];
  text(`[listen]\nport = "\\u001b[2J\\u009b"\n"\\u001b]0;x" = 1\n[destination]\nurl = "http://127.0.0.1:1"\n${rest}`);
  printed.push(await check());
  const folder = join(path, "folder\u001b[31m\u202e");
  mkdirSync(folder);
  const tail = `[[tail]]\npath = ${JSON.stringify(folder)}\nstream = "usage/m"\n`;
  text(`[buffer]\npath = ${JSON.stringify(configFile)}\n[destination]\nurl = "http://127.0.0.1:1"\n${rest}${tail}`);
  printed.push(await check());
  printed.push(await runInProcess(["status", "--config", `${folder}/none`], { terminal: 80 }));
  printed.push(await runInProcess(["stat\u001b[2Jus"], { terminal: 80 }));
  printed.push(await runInProcess(["send", "--stream", "web\u001b[2J"], { terminal: 80 }));
  for (const { code, stdout, stderr } of printed) {
    expect(code).not.toBe(0);
    expect(stdout + stderr).toContain("\\u001b");
    expect((stdout + stderr).replaceAll("\n", "")).not.toMatch(ACTIVE);
  }
});

test("the log as people read it escapes what others wrote: messages, fields and errors", () => {
  const fields = { reason: HOSTILE, word: "\u001b[2J", list: [HOSTILE], "k\u001b": 1 };
  const err = { message: HOSTILE, stack: `Error: ${HOSTILE}\n    at x` };
  const line = `${JSON.stringify({ time: "2026-01-02T03:04:05Z", level: 40, msg: HOSTILE, ...fields, err })}\n`;
  const shown = prettyLine(line, false);
  expect(shown.replaceAll("\n", "")).not.toMatch(ACTIVE);
  // One line of its own, then the error's, set in.
  const [, ...rest] = shown.trimEnd().split("\n");
  for (const text of rest) expect(text.startsWith("  ")).toBe(true);
});

const ledger = { accepted: 66_000, delivered: 18_220, pending: 47_100, quarantined: 680, discarded: 0 };
const LONG = "x".repeat(5000);
const WIDE = "請求書が拒否されました🙂".repeat(30);
const COMBINED = "e\u0301\u200d".repeat(200);

function statusThatSays(text: string): StatusDocument {
  const lane = { entity_ids: text, org_ids: text, last_error: `answered 403: ${text}`, since_s: 9, next_attempt_s: 1 };
  const counts = { first_sequence: 1, last_sequence: 9, ledger };
  const waiting = [{ stream: text, pending: 5, state: text, since: text, why: [text, text] }];
  return {
    producer: "plant-7.OYmgbNvO",
    running: true,
    ledger,
    buffer: { bytes: 11_534_336, max_bytes: 67_108_864, oldest_s: 3725, hours_left: 0.1 },
    destination: { state: "unreachable", last_error: text, next_attempt_s: 0.9 },
    streams: [
      { stream: `usage/${text}`, ...counts, waiting: [lane, lane] },
      { stream: "persist", ...counts },
    ],
    delivery: { asked_s: 3, pending: 5, waiting },
  };
}

/** Cells as a terminal counts them, by the widths of these texts alone. */
function cellsOf(line: string): number {
  const plain = line.replace(/\p{Mn}|\p{Cf}/gu, "");
  return [...plain].reduce(
    (sum, c) => sum + (/[\u3040-\u30ff\u4e00-\u9fff]|\p{Emoji_Presentation}/u.test(c) ? 2 : 1),
    0,
  );
}

test.each([
  ["escapes", HOSTILE],
  ["line breaks and tabs", "a\nDELIVERED 1\r\n\t\u000b\u000cb"],
  ["thousands of characters without a space", LONG],
  ["thousands of words", "no such customer ".repeat(400)],
  ["characters two cells wide", WIDE],
  ["characters without a width", COMBINED],
  ["what looks like our own colours and bars", "\u001b[32mok\u001b[39m █████░░░░░"],
  ["nothing", ""],
])("a vendor that says %s breaks no line of the status, at 120, 80 and 40 columns", (_, text) => {
  const calm = (columns: number) => statusScreen(statusThatSays("no"), null, false, columns).split("\n");
  for (const columns of [120, 80, 40]) {
    const screen = statusScreen(statusThatSays(text), null, false, columns);
    const lines = screen.split("\n");
    for (const line of lines) expect([line, cellsOf(line) <= columns]).toEqual([line, true]);
    expect(screen.replaceAll("\n", "")).not.toMatch(ACTIVE);
    // The rows that are ours stand where they stood, and nobody's words push them off the screen.
    for (const row of calm(columns).filter((line) => /^ {2}(accepted|delivered|pending|quarantined)/.test(line)))
      expect(lines.filter((line) => line.replace(/ +/g, " ") === row.replace(/ +/g, " "))).toHaveLength(1);
    expect(lines.length).toBeLessThan(columns === 40 ? 110 : 60);
    const colored = statusScreen(statusThatSays(text), null, true, columns);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a colour begins with one
    expect(colored.replace(/\u001b\[\d+m/g, "").replaceAll("\n", "")).not.toMatch(ACTIVE);
  }
});

test("whatever an edge says of its streams, each line of the metrics is one sample, and no sample comes twice", () => {
  const status = statusThatSays('a"b\\c\nd\re\u2028');
  const [first] = status.delivery?.waiting ?? [];
  const waiting = first === undefined ? [] : [first, first, { ...first, state: "other" }];
  const text = metricsText({
    status: { ...status, delivery: { asked_s: 3, pending: 5, waiting } },
    uploads: { attempts: new Map(), bytes: 0, window: 1, size: { bytes: 1, events: 1 } },
    ...{ commits: 1, suppressedLines: 0, lostBytes: 0, freeBytes: 0 },
  });
  const samples = text.split(/\r\n|[\n\r\u2028\u2029\u0085]/).filter((line) => line !== "" && !line.startsWith("# "));
  const SAMPLE = /^[a-z_]+(?:\{[a-z]+="(?:[^"\\]|\\[\\"n])*"(?:,[a-z]+="(?:[^"\\]|\\[\\"n])*")*\})? [\d.e+]+$/;
  for (const sample of samples) expect(sample).toMatch(SAMPLE);
  const names = samples.map((sample) => sample.slice(0, sample.lastIndexOf(" ")));
  expect(new Set(names).size).toBe(names.length);
});
