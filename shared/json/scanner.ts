/**
 * The one strict JSON scanner. It finds each event's exact source in one pass and refuses whatever two readers could
 * understand differently: duplicate keys, `__proto__`, lone surrogates, numbers that a double cannot hold, a byte order
 * mark, nesting without end.
 *
 * Grammar: RFC 8259. It only checks: what it keeps of an event is where its members lie, so that memory follows the
 * bytes of a body, however many tiny values they are cut into. Whoever needs a value reads it from there.
 */
import { CLOSE_BRACE, CLOSE_BRACKET, COLON, COMMA, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "./characters.ts";
import { keyText, OpenKeys } from "./open-keys.ts";
import { ScanStop } from "./scan-error.ts";
import { ScannedEvent } from "./scanned-event.ts";
import type { Source } from "./source.ts";
import { Members, SpanObject } from "./span.ts";
import { Tokens } from "./tokens.ts";
import { hasByteOrderMark } from "./utf8-sequence.ts";

export interface ScanLimits {
  readonly eventsMax: number;
  readonly eventBytesMax: number;
}

/** Objects and arrays inside one another, the event itself being the first. */
export const DEPTH_MAX = 64;

const PROTO = "__proto__";
/** Characters of a key that a message shows. */
const KEY_SHOWN_MAX = 100;

/**
 * Takes each member of an object: where its key lies between the quotes, its value, and the surplus of bytes over UTF-16
 * units before that.
 */
export type OnMember = (keyFrom: number, keyTo: number, from: number, to: number, surplusBefore: number) => void;

/** Checks values and events of a body; what breaks a rule ends the scan with a ScanStop. */
export class Scanner extends Tokens {
  readonly source: Source;
  readonly limits: ScanLimits;
  /** How many events were begun. */
  began = 0;
  private readonly keys: OpenKeys;
  private readonly members = new Members();
  private readonly found: ScannedEvent;

  constructor(source: Source, limits: ScanLimits) {
    super(source.bytes);
    this.source = source;
    this.limits = limits;
    this.keys = new OpenKeys(source.bytes);
    this.found = new ScannedEvent(source, new SpanObject(source.bytes, 0, 0, this.members), 0, 0);
  }

  refuseByteOrderMark(): void {
    if (hasByteOrderMark(this.bytes)) {
      throw new ScanStop("byte-order-mark", "the body starts with a byte order mark", 0);
    }
  }

  /** Reads one event, held to the limits of count and size. What it gives is the next event once that is read. */
  event(): ScannedEvent {
    const start = this.position;
    const surplus = this.surplus;
    this.began++;
    if (this.began > this.limits.eventsMax) {
      throw new ScanStop("too-many-events", `more than ${this.limits.eventsMax} events`, start);
    }
    this.members.length = 0;
    if (this.peek() === OPEN_BRACE) this.object(1, this.members);
    else {
      this.value(0);
      throw new ScanStop("not-object", "an event must be a JSON object", start);
    }
    const end = this.position;
    if (end - start > this.limits.eventBytesMax) {
      throw new ScanStop("event-too-large", `the event has more than ${this.limits.eventBytesMax} bytes`, start);
    }
    this.found.become(start, end, start - surplus, end - this.surplus);
    return this.found;
  }

  /** @param depth how many objects and arrays stand around this value. */
  value(depth: number): void {
    const code = this.peek();
    if (code === QUOTE) this.string();
    else if (code === OPEN_BRACE) this.object(depth + 1);
    else if (code === OPEN_BRACKET) this.array(depth + 1);
    else if (code === 0x74) this.word("true");
    else if (code === 0x66) this.word("false");
    else if (code === 0x6e) this.word("null");
    else this.number();
  }

  private enter(depth: number): void {
    if (depth > DEPTH_MAX) {
      throw new ScanStop("too-deep", `nested deeper than ${DEPTH_MAX} levels`, this.position);
    }
    this.position++;
    this.space();
  }

  /** @param members takes each of its members. */
  object(depth: number, members: Members | null = null, onMember: OnMember | null = null): void {
    this.enter(depth);
    if (this.peek() === CLOSE_BRACE) {
      this.position++;
      return;
    }
    const outer = this.keys.open();
    for (;;) {
      const keyAt = this.position;
      this.key();
      const keyEnd = this.position - 1;
      this.space();
      if (this.peek() !== COLON) throw this.unexpected(this.position, "':'");
      this.position++;
      this.space();
      const from = this.position;
      const surplusBefore = this.surplus;
      this.value(depth);
      if (members !== null) members.add(keyAt + 1, keyEnd, from, this.position);
      if (onMember !== null) onMember(keyAt + 1, keyEnd, from, this.position, surplusBefore);
      this.space();
      const next = this.peek();
      if (next === CLOSE_BRACE) break;
      if (next !== COMMA) throw this.unexpected(this.position, "',' or '}'");
      this.position++;
      this.space();
    }
    this.position++;
    this.keys.close(outer);
  }

  private key(): void {
    const at = this.position;
    if (this.peek() !== QUOTE) throw this.unexpected(at, "a key in double quotes");
    this.string();
    const { bytes, escaped } = this;
    const [from, to] = [at + 1, this.position - 1];
    // Nothing spells it in fewer bytes; with escapes in more.
    const isProto =
      to - from >= PROTO.length && (escaped || bytes[from] === 0x5f) && keyText(bytes, from, to) === PROTO;
    if (isProto) throw new ScanStop("forbidden-key", `the key ${PROTO} is not allowed`, at);
    if (!this.keys.add(from, to, escaped)) {
      const shown = JSON.stringify(keyText(bytes, from, to).slice(0, KEY_SHOWN_MAX));
      throw new ScanStop("duplicate-key", `the key ${shown} stands twice`, at);
    }
  }

  private array(depth: number): void {
    this.enter(depth);
    if (this.peek() === CLOSE_BRACKET) {
      this.position++;
      return;
    }
    for (;;) {
      this.value(depth);
      this.space();
      const next = this.peek();
      this.position++;
      if (next === CLOSE_BRACKET) return;
      if (next !== COMMA) throw this.unexpected(this.position - 1, "',' or ']'");
      this.space();
    }
  }
}
