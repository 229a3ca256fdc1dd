/**
 * The one strict JSON scanner. It finds each event's exact source text and its parsed value in one pass and
 * refuses whatever two readers could understand differently: duplicate keys, `__proto__`, lone surrogates,
 * numbers that a double cannot hold, a byte order mark, nesting without end.
 *
 * Grammar: RFC 8259. Numbers are never converted: a value keeps the digits it came with.
 */
import { CLOSE_BRACE, CLOSE_BRACKET, COLON, COMMA, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "./characters.ts";
import { ScanStop } from "./scan-error.ts";
import { Tokens } from "./tokens.ts";
import { isLongerThan } from "./utf8.ts";
import type { JsonObject, JsonValue } from "./value.ts";

export interface ScannedEvent {
  /** The event's source text, byte for byte what was sent. */
  readonly source: string;
  readonly value: JsonObject;
}

export interface ScanLimits {
  readonly eventsMax: number;
  readonly eventBytesMax: number;
}

/** Objects and arrays inside one another, the event itself being the first. */
export const DEPTH_MAX = 64;

const BYTE_ORDER_MARK = "\ufeff";

/** Reads values and events from a text; what breaks a rule ends the scan with a ScanStop. */
export class Scanner extends Tokens {
  readonly limits: ScanLimits;
  /** How many events were begun. */
  began = 0;

  constructor(text: string, limits: ScanLimits) {
    super(text);
    this.limits = limits;
  }

  refuseByteOrderMark(): void {
    if (this.text.startsWith(BYTE_ORDER_MARK)) {
      throw new ScanStop("byte-order-mark", "the body starts with a byte order mark", 0);
    }
  }

  /** Reads one event, held to the limits of count and size. */
  event(): ScannedEvent {
    const start = this.position;
    this.began++;
    if (this.began > this.limits.eventsMax) {
      throw new ScanStop("too-many-events", `more than ${this.limits.eventsMax} events`, start);
    }
    const value = this.value(0);
    if (!(value instanceof Map)) throw new ScanStop("not-object", "an event must be a JSON object", start);
    const source = this.text.slice(start, this.position);
    if (isLongerThan(source, this.limits.eventBytesMax)) {
      throw new ScanStop("event-too-large", `the event has more than ${this.limits.eventBytesMax} bytes`, start);
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
      throw new ScanStop("too-deep", `nested deeper than ${DEPTH_MAX} levels`, this.position);
    }
    this.position++;
    this.space();
  }

  /** @param onMember called for each member with where its value starts and ends. */
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
      if (key === "__proto__") throw new ScanStop("forbidden-key", "the key __proto__ is not allowed", keyAt);
      if (members.has(key)) {
        throw new ScanStop("duplicate-key", `the key ${JSON.stringify(key.slice(0, 100))} stands twice`, keyAt);
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
}
