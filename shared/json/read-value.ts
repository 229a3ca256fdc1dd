/** Values made of checked bytes, in one pass: parsed, or as canonical text. */
import { CLOSE_BRACE, CLOSE_BRACKET, COMMA, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "./characters.ts";
import { keyText } from "./open-keys.ts";
import { skipSpace, skipString, skipValue } from "./skip.ts";
import { textOf } from "./source.ts";
import { JsonNumber, type JsonValue } from "./value.ts";

/** What is made of each kind of value. */
interface Making<T> {
  text(value: string): T;
  number(digits: string): T;
  word(value: boolean | null): T;
  list(items: T[]): T;
  object(keys: readonly string[], values: readonly T[]): T;
}

const PARSED: Making<JsonValue> = {
  text: (value) => value,
  number: (digits) => new JsonNumber(digits),
  word: (value) => value,
  list: (items) => items,
  object: (keys, values) => new Map(keys.map((key, index) => [key, values[index] ?? null])),
};

const CANONICAL: Making<string> = {
  text: (value) => JSON.stringify(value),
  number: (digits) => digits,
  word: String,
  list: (items) => `[${items.join(",")}]`,
  object: (keys, values) => canonicalObject(keys.map((key, index) => [key, values[index] ?? ""])),
};

/** The value that begins there, parsed whole. */
export function readValue(bytes: Uint8Array, from: number): JsonValue {
  return new Reading(bytes, from, PARSED).value();
}

/** Canonical text of the value that begins there. */
export function readCanonical(bytes: Uint8Array, from: number): string {
  return new Reading(bytes, from, CANONICAL).value();
}

/** An object's canonical text, of its members' names and their values' canonical texts. */
export function canonicalObject(members: (readonly [string, string])[]): string {
  // By UTF-16 code units (RFC 8785, section 3.2.3), as `<` compares.
  members.sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(",")}}`;
}

class Reading<T> {
  private readonly bytes: Uint8Array;
  private readonly making: Making<T>;
  private at: number;

  constructor(bytes: Uint8Array, from: number, making: Making<T>) {
    this.bytes = bytes;
    this.at = from;
    this.making = making;
  }

  value(): T {
    const { bytes, at, making } = this;
    switch (bytes[at]) {
      case QUOTE:
        return making.text(this.string());
      case OPEN_BRACE:
        return this.object();
      case OPEN_BRACKET:
        return this.list();
      case 0x74:
        this.at += 4;
        return making.word(true);
      case 0x66:
        this.at += 5;
        return making.word(false);
      case 0x6e:
        this.at += 4;
        return making.word(null);
      default:
        this.at = skipValue(bytes, at);
        return making.number(textOf(bytes, at, this.at));
    }
  }

  private string(): string {
    const from = this.at;
    this.at = skipString(this.bytes, from);
    return keyText(this.bytes, from + 1, this.at - 1);
  }

  private object(): T {
    const keys: string[] = [];
    const values: T[] = [];
    this.step();
    while (this.bytes[this.at] !== CLOSE_BRACE) {
      keys.push(this.string());
      this.space();
      this.step();
      values.push(this.value());
      this.separator();
    }
    this.at++;
    return this.making.object(keys, values);
  }

  private list(): T {
    const items: T[] = [];
    this.step();
    while (this.bytes[this.at] !== CLOSE_BRACKET) {
      items.push(this.value());
      this.separator();
    }
    this.at++;
    return this.making.list(items);
  }

  private separator(): void {
    this.space();
    if (this.bytes[this.at] === COMMA) this.step();
  }

  /** Over one byte of grammar and the white space behind it. */
  private step(): void {
    this.at = skipSpace(this.bytes, this.at + 1);
  }

  private space(): void {
    this.at = skipSpace(this.bytes, this.at);
  }
}
