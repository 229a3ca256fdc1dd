/** Values made of checked bytes, in one pass. */
import { CLOSE_BRACE, CLOSE_BRACKET, COMMA, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "./characters.ts";
import { keyText } from "./open-keys.ts";
import { skipSpace, skipString, skipValue } from "./skip.ts";
import { textOf } from "./source.ts";
import { JsonNumber, type JsonObject, type JsonValue } from "./value.ts";

/** The value that begins there, parsed whole. */
export function readValue(bytes: Uint8Array, from: number): JsonValue {
  return new Reading(bytes, from).value();
}

class Reading {
  private readonly bytes: Uint8Array;
  private at: number;

  constructor(bytes: Uint8Array, from: number) {
    this.bytes = bytes;
    this.at = from;
  }

  value(): JsonValue {
    const { bytes, at } = this;
    switch (bytes[at]) {
      case QUOTE:
        return this.string();
      case OPEN_BRACE:
        return this.object();
      case OPEN_BRACKET:
        return this.list();
      case 0x74:
        this.at += 4;
        return true;
      case 0x66:
        this.at += 5;
        return false;
      case 0x6e:
        this.at += 4;
        return null;
      default:
        this.at = skipValue(bytes, at);
        return new JsonNumber(textOf(bytes, at, this.at));
    }
  }

  private string(): string {
    const from = this.at;
    this.at = skipString(this.bytes, from);
    return keyText(this.bytes, from + 1, this.at - 1);
  }

  private object(): JsonObject {
    const members: JsonObject = new Map();
    this.step();
    while (this.bytes[this.at] !== CLOSE_BRACE) {
      const key = this.string();
      this.space();
      this.step();
      members.set(key, this.value());
      this.separator();
    }
    this.at++;
    return members;
  }

  private list(): JsonValue[] {
    const items: JsonValue[] = [];
    this.step();
    while (this.bytes[this.at] !== CLOSE_BRACKET) {
      items.push(this.value());
      this.separator();
    }
    this.at++;
    return items;
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
