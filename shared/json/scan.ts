/**
 * The one strict JSON scanner. It finds each event's exact source text and its parsed value in one pass and
 * refuses whatever two readers could understand differently: duplicate keys, `__proto__`, lone surrogates,
 * numbers that a double cannot hold, a byte order mark, nesting without end.
 *
 * Grammar: RFC 8259. Numbers are never converted: a value keeps the digits it came with.
 */

/** A number by its source text, so that 0.1234567890123456789 stays just that. */
export class JsonNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type JsonObject = Map<string, JsonValue>;
export type JsonValue = string | boolean | null | JsonNumber | JsonValue[] | JsonObject;

export interface ScannedEvent {
  /** The event's source text, byte for byte what was sent. */
  readonly source: string;
  readonly value: JsonObject;
}

export type ScanFaultKind =
  /** Not JSON at all. */
  | "syntax"
  | "duplicate-key"
  | "forbidden-key"
  | "too-deep"
  | "lone-surrogate"
  /** Overflows a double. */
  | "number-range"
  | "number-length"
  | "byte-order-mark"
  | "not-utf8"
  /** JSON, but not an object where an event must be one. */
  | "not-object"
  /** No event in the body. */
  | "empty"
  | "too-many-events"
  | "event-too-large";

export interface ScanFault {
  readonly kind: ScanFaultKind;
  readonly message: string;
  /** The event in which it stands, from 0; absent where no event was begun. */
  readonly index?: number;
  /** Offset into the body, in bytes. */
  readonly offset: number;
}

export type ScanOutcome<T = ScannedEvent> =
  | { readonly kind: "events"; readonly events: T[] }
  | { readonly kind: "fault"; readonly fault: ScanFault };

export interface ScanLimits {
  readonly eventsMax: number;
  readonly eventBytesMax: number;
}

/** Takes each event as it is found; what it returns is kept in its place, so that parsed values need not be. */
export type Visit<T> = (event: ScannedEvent, index: number) => T;

/** Objects and arrays inside one another, the event itself being the first. */
export const DEPTH_MAX = 64;
/** Characters of one number. */
export const NUMBER_LENGTH_MAX = 400;

const BYTE_ORDER_MARK = "\ufeff";
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;

class ScanError extends Error {
  readonly kind: ScanFaultKind;
  readonly at: number;
  constructor(kind: ScanFaultKind, message: string, at: number) {
    super(message);
    this.kind = kind;
    this.at = at;
  }
}

/**
 * Decodes UTF-8 strictly. Returns a fault with the byte offset for bytes that are not UTF-8. A byte order mark
 * stays in the text, where every scan refuses it (RFC 8259, section 8.1, lets a reader do so).
 */
export function decodeBody(
  bytes: Uint8Array,
): { readonly kind: "text"; readonly text: string } | { readonly kind: "fault"; readonly fault: ScanFault } {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const offset = validUtf8Length(bytes);
    return { kind: "fault", fault: { kind: "not-utf8", message: "the body is not UTF-8", offset } };
  }
  return { kind: "text", text };
}

/** Length in bytes of the longest valid UTF-8 prefix, in one pass: a hostile body must not take longer. */
function validUtf8Length(bytes: Uint8Array): number {
  const replaced = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(bytes);
  let offset = 0;
  for (let at = 0; at < replaced.length; at++) {
    const code = replaced.charCodeAt(at);
    if (code === 0xfffd && !isReplacementCharacter(bytes, offset)) return offset;
    // Each half of a surrogate pair stands for two of its character's four bytes.
    offset += code < 0x80 ? 1 : code < 0x800 || (code >= 0xd800 && code <= 0xdfff) ? 2 : 3;
  }
  return offset;
}

/** Whether U+FFFD itself was sent there, and no byte replaced. */
function isReplacementCharacter(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0xef && bytes[at + 1] === 0xbf && bytes[at + 2] === 0xbd;
}

/**
 * Scans a body of one object or one array of objects.
 * @returns every event with its source slice, or the first fault with the event's index and byte offset.
 */
export function scanJson(text: string, limits: ScanLimits): ScanOutcome;
export function scanJson<T>(text: string, limits: ScanLimits, visit: Visit<T>): ScanOutcome<T>;
export function scanJson(
  text: string,
  limits: ScanLimits,
  visit: Visit<unknown> = (event) => event,
): ScanOutcome<unknown> {
  return scanWith(text, limits, visit, (scanner, take) => {
    scanner.space();
    if (scanner.position === text.length) throw new ScanError("empty", "the body holds no event", scanner.position);
    if (scanner.peek() !== OPEN_BRACKET) {
      take();
    } else {
      scanner.position++;
      scanner.space();
      if (scanner.peek() === CLOSE_BRACKET) throw new ScanError("empty", "the array holds no event", scanner.position);
      for (;;) {
        scanner.space();
        take();
        scanner.space();
        const next = scanner.peek();
        scanner.position++;
        if (next === CLOSE_BRACKET) break;
        if (next !== COMMA) throw scanner.unexpected(scanner.position - 1, "',' or ']'");
      }
    }
    scanner.space();
    if (scanner.position < text.length) throw scanner.unexpected(scanner.position, "the end of the body");
  });
}

/** Scans a body of one object a line; blank lines are passed over, the last newline may be missing. */
export function scanLines(text: string, limits: ScanLimits): ScanOutcome;
export function scanLines<T>(text: string, limits: ScanLimits, visit: Visit<T>): ScanOutcome<T>;
export function scanLines(
  text: string,
  limits: ScanLimits,
  visit: Visit<unknown> = (event) => event,
): ScanOutcome<unknown> {
  return scanWith(text, limits, visit, (scanner, take) => {
    let lineStart = 0;
    while (lineStart < text.length) {
      const newline = text.indexOf("\n", lineStart);
      const lineEnd = newline < 0 ? text.length : newline;
      scanner.position = lineStart;
      scanner.end = lineEnd;
      scanner.space();
      if (scanner.position < lineEnd) {
        take();
        scanner.space();
        if (scanner.position < lineEnd) throw scanner.unexpected(scanner.position, "the end of the line");
      }
      lineStart = lineEnd + 1;
    }
    if (scanner.began === 0) throw new ScanError("empty", "the body holds no event", 0);
  });
}

/**
 * Scans one JSON document of any type, as strictly as events.
 * @returns the parsed value, or the first fault.
 */
export function scanDocument(
  text: string,
): { readonly kind: "value"; readonly value: JsonValue } | { readonly kind: "fault"; readonly fault: ScanFault } {
  const scanner = new Scanner(text, { eventsMax: 1, eventBytesMax: text.length * 3 });
  try {
    refuseByteOrderMark(text);
    scanner.space();
    const value = scanner.value(0);
    scanner.space();
    if (scanner.position < text.length) throw scanner.unexpected(scanner.position, "the end of the document");
    return { kind: "value", value };
  } catch (error) {
    return { kind: "fault", fault: faultOf(error, text) };
  }
}

export interface Member {
  /** The member's value by its source text. */
  readonly source: string;
  readonly value: JsonValue;
  /** Where its source begins in the text, in UTF-16 units. */
  readonly start: number;
}

/**
 * Scans one JSON object and gives its members with their source texts, for envelopes whose content must travel
 * byte for byte.
 * @param envelopes levels around the events that are not counted as theirs.
 */
export function scanMembers(
  text: string,
  envelopes = 0,
):
  | { readonly kind: "members"; readonly members: ReadonlyMap<string, Member> }
  | { readonly kind: "fault"; readonly fault: ScanFault } {
  const scanner = new Scanner(text, { eventsMax: 1, eventBytesMax: text.length * 3 });
  const members = new Map<string, Member>();
  try {
    refuseByteOrderMark(text);
    scanner.space();
    if (scanner.peek() !== OPEN_BRACE) throw new ScanError("not-object", "send a JSON object", scanner.position);
    scanner.object(1 - envelopes, (key, value, start, end) =>
      members.set(key, { source: text.slice(start, end), value, start }),
    );
    scanner.space();
    if (scanner.position < text.length) throw scanner.unexpected(scanner.position, "the end of the document");
    return { kind: "members", members };
  } catch (error) {
    return { kind: "fault", fault: faultOf(error, text) };
  }
}

function refuseByteOrderMark(text: string): void {
  if (text.startsWith(BYTE_ORDER_MARK)) {
    throw new ScanError("byte-order-mark", "the body starts with a byte order mark", 0);
  }
}

function scanWith<T>(
  text: string,
  limits: ScanLimits,
  visit: Visit<T>,
  run: (scanner: Scanner, take: () => void) => void,
): ScanOutcome<T> {
  const scanner = new Scanner(text, limits);
  const events: T[] = [];
  try {
    refuseByteOrderMark(text);
    run(scanner, () => events.push(visit(scanner.event(), events.length)));
    return { kind: "events", events };
  } catch (error) {
    const fault = faultOf(error, text);
    return { kind: "fault", fault: scanner.began > 0 ? { ...fault, index: scanner.began - 1 } : fault };
  }
}

function faultOf(error: unknown, text: string): ScanFault {
  if (!(error instanceof ScanError)) throw error;
  const offset = new TextEncoder().encode(text.slice(0, error.at)).length;
  return { kind: error.kind, message: error.message, offset };
}

class Scanner {
  readonly text: string;
  readonly limits: ScanLimits;
  position = 0;
  /** Where this document ends; for lines, the end of the line. */
  end: number;
  /** How many events were begun. */
  began = 0;

  constructor(text: string, limits: ScanLimits) {
    this.text = text;
    this.limits = limits;
    this.end = text.length;
  }

  /** The character code at the position, NaN at the end. */
  peek(): number {
    return this.position < this.end ? this.text.charCodeAt(this.position) : Number.NaN;
  }

  space(): void {
    const { text, end } = this;
    let at = this.position;
    while (at < end) {
      const code = text.charCodeAt(at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) break;
      at++;
    }
    this.position = at;
  }

  unexpected(at: number, wanted: string): ScanError {
    if (at >= this.end) return new ScanError("syntax", `unexpected end, expected ${wanted}`, at);
    const shown = JSON.stringify(String.fromCodePoint(this.text.codePointAt(at) ?? 0));
    return new ScanError("syntax", `unexpected ${shown}, expected ${wanted}`, at);
  }

  event(): ScannedEvent {
    const start = this.position;
    this.began++;
    if (this.began > this.limits.eventsMax) {
      throw new ScanError("too-many-events", `more than ${this.limits.eventsMax} events`, start);
    }
    const value = this.value(0);
    if (!(value instanceof Map)) throw new ScanError("not-object", "an event must be a JSON object", start);
    const source = this.text.slice(start, this.position);
    if (isLongerThan(source, this.limits.eventBytesMax)) {
      throw new ScanError("event-too-large", `the event has more than ${this.limits.eventBytesMax} bytes`, start);
    }
    return { source, value };
  }

  /** @param depth how many objects and arrays stand around this value. */
  value(depth: number): JsonValue {
    switch (this.peek()) {
      case QUOTE:
        return this.string();
      case OPEN_BRACE:
        return this.object(depth + 1);
      case OPEN_BRACKET:
        return this.array(depth + 1);
      case 0x74:
        return this.word("true", true);
      case 0x66:
        return this.word("false", false);
      case 0x6e:
        return this.word("null", null);
      default:
        return this.number();
    }
  }

  private enter(depth: number): void {
    if (depth > DEPTH_MAX) {
      throw new ScanError("too-deep", `nested deeper than ${DEPTH_MAX} levels`, this.position);
    }
    this.position++;
    this.space();
  }

  /** @param onMember told of each member with where its value starts and ends. */
  object(depth: number, onMember?: (key: string, value: JsonValue, start: number, end: number) => void): JsonObject {
    this.enter(depth);
    const members: JsonObject = new Map();
    if (this.peek() === CLOSE_BRACE) {
      this.position++;
      return members;
    }
    for (;;) {
      const keyAt = this.position;
      if (this.peek() !== QUOTE) throw this.unexpected(keyAt, "a key in double quotes");
      const key = this.string();
      if (key === "__proto__") throw new ScanError("forbidden-key", "the key __proto__ is not allowed", keyAt);
      if (members.has(key)) {
        throw new ScanError("duplicate-key", `the key ${JSON.stringify(key.slice(0, 100))} stands twice`, keyAt);
      }
      this.space();
      if (this.peek() !== COLON) throw this.unexpected(this.position, "':'");
      this.position++;
      this.space();
      const start = this.position;
      const value = this.value(depth);
      members.set(key, value);
      onMember?.(key, value, start, this.position);
      this.space();
      const next = this.peek();
      if (next === CLOSE_BRACE) {
        this.position++;
        return members;
      }
      if (next !== COMMA) throw this.unexpected(this.position, "',' or '}'");
      this.position++;
      this.space();
    }
  }

  private array(depth: number): JsonValue[] {
    this.enter(depth);
    const items: JsonValue[] = [];
    if (this.peek() === CLOSE_BRACKET) {
      this.position++;
      return items;
    }
    for (;;) {
      items.push(this.value(depth));
      this.space();
      const next = this.peek();
      if (next === CLOSE_BRACKET) {
        this.position++;
        return items;
      }
      if (next !== COMMA) throw this.unexpected(this.position, "',' or ']'");
      this.position++;
      this.space();
    }
  }

  private word<T extends boolean | null>(word: string, value: T): T {
    if (this.position + word.length > this.end || !this.text.startsWith(word, this.position)) {
      throw this.unexpected(this.position, "a value");
    }
    this.position += word.length;
    return value;
  }

  private string(): string {
    const { text, end } = this;
    const opened = this.position;
    let at = opened + 1;
    let from = at;
    let decoded = "";
    while (at < end) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) {
        this.position = at + 1;
        const value = from === opened + 1 ? text.slice(from, at) : decoded + text.slice(from, at);
        return value;
      }
      if (code === BACKSLASH) {
        decoded += text.slice(from, at);
        const [unescaped, length] = this.escape(at);
        decoded += unescaped;
        at += length;
        from = at;
      } else if (code < 0x20) {
        throw new ScanError("syntax", "a control character inside a string must be escaped", at);
      } else if (code >= 0xd800 && code <= 0xdfff) {
        if (code >= 0xdc00 || !isLowSurrogate(text.charCodeAt(at + 1))) {
          throw new ScanError("lone-surrogate", "a lone surrogate is no character", at);
        }
        at += 2;
      } else {
        at++;
      }
    }
    throw new ScanError("syntax", "unexpected end, expected '\"'", at);
  }

  /** The characters an escape at `at` stands for, and its length in the source. */
  private escape(at: number): [string, number] {
    const letter = at + 1 < this.end ? this.text.charAt(at + 1) : "";
    switch (letter) {
      case '"':
      case "\\":
      case "/":
        return [letter, 2];
      case "b":
        return ["\b", 2];
      case "f":
        return ["\f", 2];
      case "n":
        return ["\n", 2];
      case "r":
        return ["\r", 2];
      case "t":
        return ["\t", 2];
      case "u":
        return this.unicodeEscape(at);
      default:
        throw this.unexpected(at + 1, "an escape");
    }
  }

  private unicodeEscape(at: number): [string, number] {
    const first = this.hex4(at + 2);
    if (first < 0xd800 || first > 0xdfff) return [String.fromCharCode(first), 6];
    const paired =
      first < 0xdc00 &&
      this.text.charCodeAt(at + 6) === BACKSLASH &&
      this.text.charCodeAt(at + 7) === 0x75 &&
      at + 12 <= this.end;
    const second = paired ? this.hex4(at + 8) : 0;
    if (!isLowSurrogate(second)) throw new ScanError("lone-surrogate", "a lone surrogate is no character", at);
    return [String.fromCharCode(first, second), 12];
  }

  private hex4(at: number): number {
    const digits = this.text.slice(at, Math.min(at + 4, this.end));
    if (!/^[0-9A-Fa-f]{4}$/.test(digits)) throw new ScanError("syntax", "\\u needs four hex digits", at);
    return Number.parseInt(digits, 16);
  }

  private number(): JsonNumber {
    const start = this.position;
    if (this.peek() === 0x2d) this.position++;
    if (this.peek() === 0x30) this.position++;
    else if (this.digits() === 0) throw this.unexpected(start, "a value");
    let integer = true;
    if (this.peek() === 0x2e) {
      integer = false;
      this.position++;
      if (this.digits() === 0) throw this.unexpected(this.position, "a digit");
    }
    const exponent = this.peek();
    if (exponent === 0x65 || exponent === 0x45) {
      integer = false;
      this.position++;
      const sign = this.peek();
      if (sign === 0x2b || sign === 0x2d) this.position++;
      if (this.digits() === 0) throw this.unexpected(this.position, "a digit");
    }
    const text = this.text.slice(start, this.position);
    if (text.length > NUMBER_LENGTH_MAX) {
      throw new ScanError("number-length", `a number has more than ${NUMBER_LENGTH_MAX} characters`, start);
    }
    // Below 300 digits an integer cannot reach a double's bound of about 1.8e308.
    if (!(integer && text.length < 300) && !Number.isFinite(Number(text))) {
      throw new ScanError("number-range", "a number is beyond the range of a double", start);
    }
    return new JsonNumber(text);
  }

  private digits(): number {
    const start = this.position;
    for (;;) {
      const code = this.peek();
      if (!(code >= 0x30 && code <= 0x39)) break;
      this.position++;
    }
    return this.position - start;
  }
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}

/** Whether a text's UTF-8 form is longer than `bytesMax`; encodes only where the length leaves a doubt. */
function isLongerThan(text: string, bytesMax: number): boolean {
  if (text.length > bytesMax) return true;
  if (text.length * 3 <= bytesMax) return false;
  return new TextEncoder().encode(text).length > bytesMax;
}

/**
 * How many events a body seems to hold, counted without checking them: commas at the array's own level, or
 * lines that are not blank. For saying "too many" of a body whose events are also faulty.
 */
export function countEvents(text: string, form: "json" | "ndjson"): number {
  if (form === "ndjson") {
    let lines = 0;
    for (const line of text.split("\n")) if (line.trim() !== "") lines++;
    return lines;
  }
  let depth = 0;
  let commas = 0;
  let items = false;
  for (let at = text.startsWith(BYTE_ORDER_MARK) ? 1 : 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code <= 0x20) continue;
    if (depth === 0 && code !== OPEN_BRACKET) return items ? commas + 1 : 1;
    if (code === CLOSE_BRACKET || code === CLOSE_BRACE) {
      depth--;
      if (depth === 0) break;
      continue;
    }
    if (depth === 1 && code === COMMA) commas++;
    if (depth >= 1) items = true;
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === OPEN_BRACKET || code === OPEN_BRACE) depth++;
  }
  return items ? commas + 1 : 0;
}

/** Index of the quote that closes the string opened at `at`, or the text's end. */
function endOfString(text: string, at: number): number {
  for (let next = at + 1; next < text.length; next++) {
    const code = text.charCodeAt(next);
    if (code === BACKSLASH) next++;
    else if (code === QUOTE) return next;
  }
  return text.length;
}

/**
 * Canonical text of a value by RFC 8785 (keys sorted by UTF-16 code units, shortest escapes, no white space),
 * but with numbers by their source text: 1 and 1.0 are different contents.
 */
export function canonicalText(value: JsonValue): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (value instanceof JsonNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  const keys = [...value.keys()].sort();
  const members = keys.map((key) => `${JSON.stringify(key)}:${canonicalText(value.get(key) ?? null)}`);
  return `{${members.join(",")}}`;
}
