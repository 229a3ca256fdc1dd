/** Objects and lists by where they lie in checked bytes: what is asked of them is read there, the rest never. */
import { CLOSE_BRACE, CLOSE_BRACKET, COMMA, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "./characters.ts";
import { keyText } from "./open-keys.ts";
import { readValue } from "./read-value.ts";
import { skipSpace, skipString, skipValue } from "./skip.ts";
import { textOf } from "./source.ts";
import { JsonNumber, type JsonObject, type JsonValue } from "./value.ts";

/** A value of a span: texts and numbers are made, objects and lists are spans again. */
export type SpanValue = string | boolean | null | JsonNumber | SpanObject | SpanList;

/** An object as it can be asked for its members, parsed whole or not. */
export type Fields = JsonObject | SpanObject;
export type FieldValue = JsonValue | SpanValue;

export type ValueKind = "string" | "number" | "boolean" | "null" | "object" | "list";

/** Numbers kept of a member: where its key lies between the quotes, and its value. */
const STRIDE = 4;

/** Where the members of one object lie. It is filled anew for the next: an array for each would be most of a scan's garbage. */
export class Members {
  /** Four numbers for each member, as far as they count. */
  readonly spans: number[] = [];
  /** Numbers that count. */
  length = 0;

  add(keyFrom: number, keyTo: number, from: number, to: number): void {
    const { spans, length } = this;
    spans[length] = keyFrom;
    spans[length + 1] = keyTo;
    spans[length + 2] = from;
    spans[length + 3] = to;
    this.length = length + STRIDE;
  }
}

/** A checked object. */
export class SpanObject {
  readonly bytes: Uint8Array;
  private begin: number;
  private end: number;
  private members: Members | null;

  /** @param members of this very object, where they are known already. */
  constructor(bytes: Uint8Array, from: number, to: number, members: Members | null = null) {
    this.bytes = bytes;
    this.begin = from;
    this.end = to;
    this.members = members;
  }

  /** Where it begins and ends in the bytes. */
  get from(): number {
    return this.begin;
  }

  get to(): number {
    return this.end;
  }

  /** Becomes another object of the same bytes, whose members are those it was made with, filled anew. */
  become(from: number, to: number): void {
    this.begin = from;
    this.end = to;
  }

  get size(): number {
    return this.found().length / STRIDE;
  }

  get(name: string): SpanValue | undefined {
    const at = this.find(name);
    return at < 0 ? undefined : this.valueAt(at);
  }

  has(name: string): boolean {
    return this.find(name) >= 0;
  }

  /** What a member is, without making it. */
  kindOf(name: string): ValueKind | undefined {
    const at = this.find(name);
    return at < 0 ? undefined : kindAt(this.bytes, this.found().spans[at + 2] ?? 0);
  }

  /** Whether a member is there and its value's bytes pass a test. */
  passes(name: string, test: (bytes: Uint8Array, from: number, to: number) => boolean): boolean {
    const at = this.find(name);
    const { spans } = this.found();
    return at >= 0 && test(this.bytes, spans[at + 2] ?? 0, spans[at + 3] ?? 0);
  }

  *keys(): Generator<string> {
    const { spans, length } = this.found();
    for (let at = 0; at < length; at += STRIDE) yield keyText(this.bytes, spans[at] ?? 0, spans[at + 1] ?? 0);
  }

  /** Parsed whole, and anew each time. */
  parsed(): JsonObject {
    const value = readValue(this.bytes, this.from);
    if (!(value instanceof Map)) throw new RangeError("a span of an object holds none");
    return value;
  }

  private valueAt(at: number): SpanValue {
    const { spans } = this.found();
    return spanValue(this.bytes, spans[at + 2] ?? 0, spans[at + 3] ?? 0);
  }

  private find(name: string): number {
    const { bytes } = this;
    const { spans, length } = this.found();
    for (let at = 0; at < length; at += STRIDE) {
      if (isKey(bytes, spans[at] ?? 0, spans[at + 1] ?? 0, name)) return at;
    }
    return -1;
  }

  private found(): Members {
    this.members ??= membersIn(this.bytes, this.from);
    return this.members;
  }
}

/** A checked list. */
export class SpanList {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;

  constructor(bytes: Uint8Array, from: number, to: number) {
    this.bytes = bytes;
    this.from = from;
    this.to = to;
  }

  get length(): number {
    let length = 0;
    for (const _ of this.spans()) length++;
    return length;
  }

  *[Symbol.iterator](): Generator<SpanValue> {
    for (const [from, to] of this.spans()) yield spanValue(this.bytes, from, to);
  }

  private *spans(): Generator<readonly [number, number]> {
    const { bytes } = this;
    let at = skipSpace(bytes, this.from + 1);
    while (bytes[at] !== CLOSE_BRACKET) {
      const end = skipValue(bytes, at);
      yield [at, end];
      at = skipSpace(bytes, end);
      if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1);
    }
  }
}

/** What a value is, parsed or not. */
export function kindOfValue(value: FieldValue): ValueKind {
  if (value === null) return "null";
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "boolean";
  if (value instanceof JsonNumber) return "number";
  return isList(value) ? "list" : "object";
}

/** What a member is; undefined where there is none. */
export function kindOf(fields: Fields, name: string): ValueKind | undefined {
  if (fields instanceof SpanObject) return fields.kindOf(name);
  const value = fields.get(name);
  return value === undefined ? undefined : kindOfValue(value);
}

/** An object parsed whole. */
export function parsed(fields: Fields): JsonObject {
  return fields instanceof SpanObject ? fields.parsed() : fields;
}

export function isFields(value: FieldValue | undefined): value is Fields {
  return value instanceof Map || value instanceof SpanObject;
}

export function isList(value: FieldValue | undefined): value is JsonValue[] | SpanList {
  return Array.isArray(value) || value instanceof SpanList;
}

function kindAt(bytes: Uint8Array, at: number): ValueKind {
  switch (bytes[at]) {
    case QUOTE:
      return "string";
    case OPEN_BRACE:
      return "object";
    case OPEN_BRACKET:
      return "list";
    case 0x74:
    case 0x66:
      return "boolean";
    case 0x6e:
      return "null";
    default:
      return "number";
  }
}

/** The value between two offsets of checked bytes. */
export function spanValue(bytes: Uint8Array, from: number, to: number): SpanValue {
  switch (kindAt(bytes, from)) {
    case "string":
      return keyText(bytes, from + 1, to - 1);
    case "object":
      return new SpanObject(bytes, from, to);
    case "list":
      return new SpanList(bytes, from, to);
    case "boolean":
      return bytes[from] === 0x74;
    case "null":
      return null;
    case "number":
      return new JsonNumber(textOf(bytes, from, to));
  }
}

function membersIn(bytes: Uint8Array, from: number): Members {
  const members = new Members();
  let at = skipSpace(bytes, from + 1);
  while (bytes[at] !== CLOSE_BRACE) {
    const keyEnd = skipString(bytes, at);
    // One byte further stands the colon.
    const valueAt = skipSpace(bytes, skipSpace(bytes, keyEnd) + 1);
    const end = skipValue(bytes, valueAt);
    members.add(at + 1, keyEnd - 1, valueAt, end);
    at = skipSpace(bytes, end);
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1);
  }
  return members;
}

/** Whether a key reads as a name; plain ones are compared where they lie. */
function isKey(bytes: Uint8Array, from: number, to: number, name: string): boolean {
  // In UTF-8, and with escapes, a name is never shorter than in UTF-16 units.
  if (to - from < name.length) return false;
  for (let at = 0; at < name.length; at++) {
    const code = bytes[from + at] ?? 0;
    if (code >= 0x80 || code === 0x5c) return keyText(bytes, from, to) === name;
    if (code !== name.charCodeAt(at)) return false;
  }
  return to - from === name.length;
}
