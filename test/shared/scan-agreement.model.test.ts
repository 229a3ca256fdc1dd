/**
 * The scanner against `JSON.parse` on random bodies, most of them damaged: what that accepts is accepted unless
 * one of our stricter rules speaks against it, and what it refuses is refused. The rules are written here again,
 * plainly and over tokens, so that a slip in the scanner has to be made twice to stay unseen. Values are compared
 * over tokens too: V8 13.6 gives `JSON.parse('{"z":1,"\\n":1}')` the key "\\" once it has read `{"z":1,"\\\\":1}`.
 */
import { expect, test } from "vitest";
import { type ScanOutcome, scanJson, scanLines } from "../../shared/json/bodies.ts";
import type { ScanErrorKind } from "../../shared/json/scan-error.ts";
import { JsonNumber, type JsonValue } from "../../shared/json/value.ts";
import { modelRuns } from "../support/model-runs.ts";
import {
  createRandom,
  type Random,
  randomNumber,
  randomObject,
  randomText,
  randomTree,
  spell,
  spellString,
} from "./random-json.ts";

const BODIES = modelRuns({ full: 100_000, short: 20_000 });
const LIMITS = { eventsMax: 1_000, eventBytesMax: 1_000_000 };

test(`the scanner agrees with JSON.parse on ${BODIES} random bodies, its stricter rules apart`, () => {
  const seen = new Map<string, number>();
  for (let seed = 0; seed < BODIES; seed++) {
    const body = randomBody(createRandom(seed), [" ", "\n", "\r\n", "\t", "  \n "]);
    const verdict = compare(scanJson(body, LIMITS), expectedOf(body), body);
    if (verdict.disagreement !== null) expect.fail(`seed ${seed}: ${verdict.disagreement}\n${JSON.stringify(body)}`);
    seen.set(verdict.seen, (seen.get(verdict.seen) ?? 0) + 1);
  }
  // A generator that stopped making some kind of body would prove nothing of it.
  for (const kind of ["accepted", "no JSON", ...STRICTER])
    expect(seen.get(kind) ?? 0, kind).toBeGreaterThan(BODIES / 500);
  expect(seen.get("accepted")).toBeGreaterThan(BODIES / 4);
  expect(seen.get("no JSON")).toBeGreaterThan(BODIES / 10);
});

test("lines agree with JSON.parse line by line", () => {
  const seen = new Map<string, number>();
  for (let seed = 0; seed < 20_000; seed++) {
    const random = createRandom(seed);
    const lines = Array.from({ length: 1 + random.below(4) }, () =>
      random.chance(0.15) ? random.pick(["", " ", "\r", "\t "]) : damaged(randomLine(random), random, 0.1),
    );
    const body = lines.join(random.pick(["\n", "\r\n"])) + random.pick(["", "\n", "\n\n"]);
    const verdict = compare(scanLines(body, LIMITS), expectedOfLines(body), body);
    if (verdict.disagreement !== null) expect.fail(`seed ${seed}: ${verdict.disagreement}\n${JSON.stringify(body)}`);
    seen.set(verdict.seen, (seen.get(verdict.seen) ?? 0) + 1);
  }
  for (const kind of ["accepted", "no JSON", "duplicate-key"]) expect(seen.get(kind) ?? 0, kind).toBeGreaterThan(100);
});

const STRICTER = [
  "duplicate-key",
  "forbidden-key",
  "too-deep",
  "lone-surrogate",
  "number-range",
  "number-length",
  "byte-order-mark",
  "not-object",
  "empty",
] as const satisfies readonly ScanErrorKind[];

type Expected =
  | { readonly kind: "no JSON" }
  /** JSON, but these rules of ours refuse it; the scanner names the one it meets first. */
  | { readonly kind: "refused"; readonly by: ReadonlySet<ScanErrorKind> }
  /** `list`: the events' normalised texts with commas between. */
  | { readonly kind: "events"; readonly count: number; readonly list: string };

function expectedOf(body: string): Expected {
  // The mark is refused before anything else; JSON.parse would call it a syntax error.
  if (body.startsWith("\ufeff")) return { kind: "refused", by: new Set(["byte-order-mark"]) };
  if (/^[ \t\r\n]*$/.test(body)) return { kind: "refused", by: new Set(["empty"]) };
  const parsed = parse(body);
  if (parsed === null) return { kind: "no JSON" };
  const events: unknown[] = Array.isArray(parsed.value) ? parsed.value : [parsed.value];
  const broken = brokenRules(body, Array.isArray(parsed.value) ? 1 : 0);
  if (events.length === 0) broken.add("empty");
  if (!events.every(isObject)) broken.add("not-object");
  const text = normalised(body);
  const list = Array.isArray(parsed.value) ? text.slice(1, -1) : text;
  return broken.size > 0 ? { kind: "refused", by: broken } : { kind: "events", count: events.length, list };
}

function expectedOfLines(body: string): Expected {
  if (body.startsWith("\ufeff")) return { kind: "refused", by: new Set(["byte-order-mark"]) };
  const texts: string[] = [];
  const broken = new Set<ScanErrorKind>();
  for (const line of body.split("\n")) {
    if (/^[ \t\r]*$/.test(line)) continue;
    const parsed = parse(line);
    if (parsed === null) return { kind: "no JSON" };
    for (const rule of brokenRules(line, 0)) broken.add(rule);
    if (!isObject(parsed.value)) broken.add("not-object");
    texts.push(normalised(line));
  }
  if (texts.length === 0) broken.add("empty");
  return broken.size > 0
    ? { kind: "refused", by: broken }
    : { kind: "events", count: texts.length, list: texts.join(",") };
}

function tokensOf(text: string): string[] {
  return text.match(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|[{}[\],:]|true|false|null/gs) ?? [];
}

/** A text without the freedoms of JSON: no white space, each string in one spelling; numbers stay as they are. */
function normalised(text: string): string {
  return tokensOf(text)
    .map((token) => (token.startsWith('"') ? JSON.stringify(JSON.parse(token)) : token))
    .join("");
}

/** Which of the stricter rules a text that JSON.parse accepts breaks; `around` levels are not the event's own. */
function brokenRules(text: string, around: number): Set<ScanErrorKind> {
  const broken = new Set<ScanErrorKind>();
  const open: (Set<string> | null)[] = [];
  const tokens = tokensOf(text);
  tokens.forEach((token, at) => {
    if (token === "{" || token === "[") {
      open.push(token === "{" ? new Set() : null);
      if (open.length - around > 64) broken.add("too-deep");
    } else if (token === "}" || token === "]") {
      open.pop();
    } else if (token.startsWith('"')) {
      const value: string = JSON.parse(token);
      if (!token.isWellFormed() || !value.isWellFormed()) broken.add("lone-surrogate");
      const keys = open.at(-1);
      if (tokens[at + 1] !== ":" || !keys) return;
      if (value === "__proto__") broken.add("forbidden-key");
      else if (keys.has(value)) broken.add("duplicate-key");
      keys.add(value);
    } else if (/^[-\d]/.test(token)) {
      if (token.length > 400) broken.add("number-length");
      if (Math.abs(Number(token)) === Number.POSITIVE_INFINITY) broken.add("number-range");
    }
  });
  return broken;
}

function compare(
  outcome: ScanOutcome,
  expected: Expected,
  body: string,
): { disagreement: string | null; seen: string } {
  const seen = expected.kind === "events" ? "accepted" : outcome.kind === "invalid" ? outcome.error.kind : "";
  if (expected.kind === "no JSON") {
    return { disagreement: outcome.kind === "invalid" ? null : "accepted what is no JSON", seen: "no JSON" };
  }
  if (outcome.kind === "invalid") {
    const { kind, offset, message } = outcome.error;
    const allowed = expected.kind === "refused" && expected.by.has(kind);
    if (!allowed) return { disagreement: `refused for ${kind} at ${offset}: ${message}`, seen };
    return { disagreement: offset <= Buffer.byteLength(body) ? null : `offset ${offset} is outside`, seen };
  }
  if (expected.kind === "refused") return { disagreement: `accepted against ${[...expected.by]}`, seen };
  return { disagreement: differenceOf(outcome.events, expected, body), seen };
}

function differenceOf(
  events: readonly { source: string; value: JsonValue }[],
  expected: Expected & { kind: "events" },
  body: string,
): string | null {
  if (events.length !== expected.count) return `${events.length} events instead of ${expected.count}`;
  if (events.map(({ source }) => normalised(source)).join(",") !== expected.list) return "the slices differ";
  if (events.map(({ value }) => written(value)).join(",") !== expected.list) return "the values differ";
  let rest = body;
  for (const { source } of events) {
    const at = rest.indexOf(source);
    if (!/^[\s[,]*$/.test(rest.slice(0, at))) return "a slice is not byte for byte what stands in the body";
    rest = rest.slice(at + source.length);
  }
  return /^[\s\]]*$/.test(rest) ? null : "something was lost after the last event";
}

function written(value: JsonValue): string {
  if (value instanceof JsonNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(written)}]`;
  if (!(value instanceof Map)) return JSON.stringify(value);
  return `{${[...value].map(([key, member]) => `${JSON.stringify(key)}:${written(member)}`)}}`;
}

function parse(text: string): { value: unknown } | null {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return null;
  }
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

type Spaces = readonly [string, ...string[]];

function randomBody(random: Random, spaces: Spaces): string {
  const spelling = { random, spaces };
  const object = () => spell(randomObject(random, 4), spelling);
  let body: string;
  if (random.chance(0.5)) body = object();
  else if (random.chance(0.8))
    body = `[${Array.from({ length: random.below(4) }, object).join(random.pick([",", " ,\n"]))}]`;
  else body = spell(randomTree(random, 3), spelling);
  if (random.chance(0.5)) body = random.pick(spaces) + body + random.pick(spaces);
  return damaged(body, random, 0.5);
}

function randomLine(random: Random): string {
  return spell(randomObject(random, 3), { random, spaces: [" ", "\t", "\r"] });
}

/** A body with some of the harm that bodies come to, or as it was. */
function damaged(body: string, random: Random, probability: number): string {
  if (!random.chance(probability)) return body;
  if (random.chance(0.4)) return withForbidden(body, random);
  let text = body;
  for (let times = 1 + random.below(2); times > 0; times--) text = mutated(text, random);
  return text;
}

const STRAY = [
  ...'{}[],:"\\/0123456789-+.eEtfn \n\r\tu',
  "\u0000",
  "\u00a0",
  "\ufeff",
  "\ud83d",
  "\ude00",
  "'",
  "//",
  "NaN",
];

function mutated(text: string, random: Random): string {
  const at = random.below(text.length + 1);
  const to = Math.min(text.length, at + 1 + random.below(3));
  const stray = STRAY[random.below(STRAY.length)] ?? "";
  switch (random.below(6)) {
    case 0:
      return text.slice(0, at) + text.slice(to);
    case 1:
      return text.slice(0, at) + stray + text.slice(at);
    case 2:
      return text.slice(0, at) + stray + text.slice(at + 1);
    case 3:
      return text.slice(0, to) + text.slice(at);
    case 4:
      return text.slice(0, at);
    default:
      return text.slice(0, at) + text.slice(to) + text.slice(at, to);
  }
}

/** A member or value that our rules are about, at the edge of the rule, put somewhere into the body. */
function withForbidden(body: string, random: Random): string {
  if (random.chance(0.03)) return `\ufeff${body}`;
  if (random.chance(0.03)) return random.pick(["", " ", "\n", "[]", "[ ]"]);
  const braces = [...body.matchAll(/[{,]/g)].map((match) => match.index + 1);
  const at = braces[random.below(braces.length)] ?? 0;
  const member = `${forbiddenMember(body, random)}${body[at] === "}" ? "" : ","}`;
  return body.slice(0, at) + member + body.slice(at);
}

function forbiddenMember(body: string, random: Random): string {
  const key = spellString(random.chance(0.3) ? randomText(random) : `k${random.below(5)}`, random);
  switch (random.below(7)) {
    case 0: {
      const used = body.match(/"(?:[^"\\]|\\.)*"(?=\s*:)/g) ?? ['"a"'];
      const name: string = JSON.parse(used[random.below(used.length)] ?? '"a"');
      return `${spellString(name, random)}:1`;
    }
    case 1:
      return `${spellString(random.pick(["__proto__", "__proto__", "_proto_"]), random)}:${randomNumber(random)}`;
    case 2: {
      const levels = 58 + random.below(10);
      const [opening, core, closing] = random.pick([["[", "", "]"] as const, ['{"a":', "0", "}"] as const]);
      return `${key}:${opening.repeat(levels)}${core}${closing.repeat(levels)}`;
    }
    case 3:
      return `${key}:"${random.pick(["\\ud83d", "\\ude00", "\ud83d", "\ude00", "\\ud83d\ude00", "\\ud83d\\ude00", "\\ude00\\ud83d"])}"`;
    case 4:
      return `${key}:${random.pick(["1e309", "-1e309", "1e308", "1.7976931348623157e308", "1.8e308", "1e-400", "9e99999"])}`;
    case 5:
      return `${key}:${random.pick(["", "-"])}${"9".repeat(298 + random.below(14))}`;
    default:
      return `${key}:0.${"1".repeat(395 + random.below(8))}`;
  }
}
