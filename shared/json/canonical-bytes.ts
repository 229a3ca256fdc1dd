/**
 * Canonical text (see canonical.ts) in UTF-8, of checked bytes and in one pass: copied where it is canonical already, put
 * in order where it is not. It is never longer than its source, and no value of it is ever made.
 */
import { BACKSLASH, CLOSE_BRACE, CLOSE_BRACKET, COLON, COMMA, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "./characters.ts";
import { keyText } from "./open-keys.ts";
import { skipSpace, skipString, skipValue } from "./skip.ts";
import { textOf } from "./source.ts";

/** Numbers kept of a member: where its key lies between the quotes, in the source, and itself in what was written. */
const STRIDE = 4;
/** Bytes that are kept for the next event. */
const KEPT_BYTES = 65_536;
/** Up to here bytes are copied one by one, which is faster than a call. */
const SHORT_BYTES = 48;
/** Up to here members are put into their places one by one, which is faster than a sort with a function. */
const FEW_MEMBERS = 16;
const NO_NAMES: ReadonlySet<string> = new Set();
const ENCODER = new TextEncoder();

/**
 * The canonical text of the object that begins at `from` and ends at `to`.
 * @param without top-level members that are left out.
 * @param use is given the bytes, which are only good until it returns.
 */
export function withCanonical<T>(
  bytes: Uint8Array,
  from: number,
  to: number,
  without: ReadonlySet<string>,
  use: (canonical: Uint8Array, length: number) => T,
): T {
  WRITER.begin(bytes, to - from);
  WRITER.object(from, without);
  const outcome = use(WRITER.out, WRITER.length);
  WRITER.end();
  return outcome;
}

/** The canonical text of the value that begins at `from` and ends at `to`. */
export function canonicalTextAt(bytes: Uint8Array, from: number, to: number): string {
  WRITER.begin(bytes, to - from);
  WRITER.value(from);
  const text = textOf(WRITER.out, 0, WRITER.length);
  WRITER.end();
  return text;
}

class Writer {
  out = new Uint8Array(KEPT_BYTES);
  length = 0;
  private bytes: Uint8Array = this.out;
  private spare = new Uint8Array(KEPT_BYTES);
  private members: number[] = [];

  /** @param size of what is to be written, at most. */
  begin(bytes: Uint8Array, size: number): void {
    this.bytes = bytes;
    this.length = 0;
    this.members.length = 0;
    // One comma more than in the end is written behind the last member.
    if (this.out.length <= size) {
      this.out = new Uint8Array(size + 1);
      this.spare = new Uint8Array(size + 1);
    }
  }

  /** Lets go of what was large. */
  end(): void {
    this.bytes = EMPTY;
    if (this.out.length <= KEPT_BYTES) return;
    this.out = new Uint8Array(KEPT_BYTES);
    this.spare = new Uint8Array(KEPT_BYTES);
    this.members = [];
  }

  /** @returns where the value ends. */
  value(from: number): number {
    const first = this.bytes[from];
    if (first === QUOTE) return this.string(from);
    if (first === OPEN_BRACE) return this.object(from, NO_NAMES);
    if (first === OPEN_BRACKET) return this.list(from);
    const end = skipValue(this.bytes, from);
    this.copy(from, end);
    return end;
  }

  private list(from: number): number {
    const { bytes, out } = this;
    out[this.length++] = OPEN_BRACKET;
    let at = skipSpace(bytes, from + 1);
    while (bytes[at] !== CLOSE_BRACKET) {
      at = skipSpace(bytes, this.value(at));
      if (bytes[at] !== COMMA) continue;
      out[this.length++] = COMMA;
      at = skipSpace(bytes, at + 1);
    }
    out[this.length++] = CLOSE_BRACKET;
    return at + 1;
  }

  object(from: number, without: ReadonlySet<string>): number {
    const { bytes, out, members } = this;
    const base = members.length;
    out[this.length++] = OPEN_BRACE;
    const begin = this.length;
    let isSorted = true;
    let at = skipSpace(bytes, from + 1);
    while (bytes[at] !== CLOSE_BRACE) {
      const start = this.length;
      const keyEnd = this.string(at);
      const valueAt = skipSpace(bytes, skipSpace(bytes, keyEnd) + 1);
      if (without.size > 0 && without.has(keyText(bytes, at + 1, keyEnd - 1))) {
        this.length = start;
        at = skipSpace(bytes, skipValue(bytes, valueAt));
      } else {
        out[this.length++] = COLON;
        const end = this.value(valueAt);
        const top = members.length;
        members.push(at + 1, keyEnd - 1, start, this.length);
        isSorted &&= top === base || this.isBefore(top - STRIDE, top);
        out[this.length++] = COMMA;
        at = skipSpace(bytes, end);
      }
      if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1);
    }
    if (!isSorted) this.sort(base, begin);
    // In place of the last comma, or behind the brace of an object without members.
    if (this.length > begin) this.length--;
    out[this.length++] = CLOSE_BRACE;
    members.length = base;
    return at + 1;
  }

  /** Puts the members from `base` on, written from `begin` on with a comma each, into the order of their keys. */
  private sort(base: number, begin: number): void {
    const { members, out, length } = this;
    const spare = this.spare;
    const order: number[] = [];
    for (let member = base; member < members.length; member += STRIDE) order.push(member);
    if (order.length <= FEW_MEMBERS) this.orderFew(order);
    else this.orderByKeys(order);
    copyBytes(out, begin, length, spare, 0);
    let to = begin;
    for (const member of order) {
      const start = members[member + 2] ?? 0;
      const size = (members[member + 3] ?? 0) + 1 - start;
      copyBytes(spare, start - begin, start - begin + size, out, to);
      to += size;
    }
  }

  private orderByKeys(order: number[]): void {
    if (order.every((member) => this.isPlain(member))) {
      order.sort((one, other) => (this.isBefore(one, other) ? -1 : 1));
      return;
    }
    const names = new Map(order.map((member) => [member, this.name(member)]));
    order.sort((one, other) => ((names.get(one) ?? "") < (names.get(other) ?? "") ? -1 : 1));
  }

  private orderFew(order: number[]): void {
    for (let next = 1; next < order.length; next++) {
      const member = order[next] ?? 0;
      let at = next;
      for (; at > 0 && this.isBefore(member, order[at - 1] ?? 0); at--) order[at] = order[at - 1] ?? 0;
      order[at] = member;
    }
  }

  /** By UTF-16 code units (RFC 8785, section 3.2.3), which is the order of the bytes where all of them are ASCII. */
  private isBefore(one: number, other: number): boolean {
    const { bytes, members } = this;
    const from = members[one] ?? 0;
    const otherFrom = members[other] ?? 0;
    const length = (members[one + 1] ?? 0) - from;
    const otherLength = (members[other + 1] ?? 0) - otherFrom;
    const common = Math.min(length, otherLength);
    for (let i = 0; i < common; i++) {
      const code = bytes[from + i] ?? 0;
      const otherCode = bytes[otherFrom + i] ?? 0;
      if (isNotPlain(code) || isNotPlain(otherCode)) return this.name(one) < this.name(other);
      if (code !== otherCode) return code < otherCode;
    }
    return length < otherLength;
  }

  private isPlain(member: number): boolean {
    const to = this.members[member + 1] ?? 0;
    for (let at = this.members[member] ?? 0; at < to; at++) if (isNotPlain(this.bytes[at] ?? 0)) return false;
    return true;
  }

  private name(member: number): string {
    return keyText(this.bytes, this.members[member] ?? 0, this.members[member + 1] ?? 0);
  }

  /** @param from of the opening quote. @returns where the string ends. */
  private string(from: number): number {
    const { bytes, out } = this;
    let to = this.length;
    out[to++] = QUOTE;
    for (let at = from + 1; at < bytes.length; at++) {
      const code = bytes[at] ?? 0;
      if (code === BACKSLASH) return this.escaped(from);
      out[to++] = code;
      if (code === QUOTE) {
        this.length = to;
        return at + 1;
      }
    }
    throw new RangeError("a string of checked bytes has no end");
  }

  /** With the escapes that are shortest, and only where there must be one. */
  private escaped(from: number): number {
    const end = skipString(this.bytes, from);
    const text = ENCODER.encode(JSON.stringify(keyText(this.bytes, from + 1, end - 1)));
    copyBytes(text, 0, text.length, this.out, this.length);
    this.length += text.length;
    return end;
  }

  private copy(from: number, to: number): void {
    copyBytes(this.bytes, from, to, this.out, this.length);
    this.length += to - from;
  }
}

const EMPTY = new Uint8Array(0);
const WRITER = new Writer();

function isNotPlain(code: number): boolean {
  return code >= 0x80 || code === BACKSLASH;
}

function copyBytes(source: Uint8Array, from: number, to: number, target: Uint8Array, at: number): void {
  if (to - from > SHORT_BYTES) target.set(source.subarray(from, to), at);
  else for (let i = from; i < to; i++) target[at + i - from] = source[i] ?? 0;
}
