/**
 * The tokens of JSON (RFC 8259): white space, words, strings and numbers, checked byte by byte. Nothing is made of
 * them: where one begins and ends is all that is known afterwards.
 */
import { BACKSLASH, QUOTE } from "./characters.ts";
import { ScanStop } from "./scan-error.ts";
import { textOf } from "./source.ts";
import { NOT_UTF8, sequenceLength } from "./utf8-sequence.ts";

/** Characters of one number. */
export const NUMBER_LENGTH_MAX = 400;
/** Digits that no double overflows by: its bound is about 1.8e308. */
const DIGITS_SAFE = 200;

/** What a byte inside a string is: 0 a character by itself, 1 the end, 2 an escape, 3 must be escaped, 4 one of several bytes. */
const IN_STRING = Uint8Array.from({ length: 256 }, (_, code) => {
  if (code === QUOTE) return 1;
  if (code === BACKSLASH) return 2;
  if (code < 0x20) return 3;
  return code < 0x80 ? 0 : 4;
});

/** Reads one token after another; what is none ends the scan with a ScanStop. */
export class Tokens {
  readonly bytes: Uint8Array;
  position = 0;
  /** Where this document ends; for lines, the end of the line. */
  end: number;
  /** Whether the string read last holds an escape. */
  escaped = false;
  /** By how much the bytes read are more than the UTF-16 units of their text. */
  surplus = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.end = bytes.length;
  }

  /** The byte at the position, -1 at the end. */
  peek(): number {
    return this.position < this.end ? (this.bytes[this.position] ?? -1) : -1;
  }

  space(): void {
    const { bytes, end } = this;
    let at = this.position;
    while (at < end) {
      const code = bytes[at] ?? 0;
      if (code > 0x20 || (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09)) break;
      at++;
    }
    this.position = at;
  }

  unexpected(at: number, wanted: string): ScanStop {
    if (at >= this.end) return new ScanStop("syntax", `unexpected end, expected ${wanted}`, at);
    const shown = JSON.stringify(String.fromCodePoint(this.codePointAt(at)));
    return new ScanStop("syntax", `unexpected ${shown}, expected ${wanted}`, at);
  }

  protected word(word: string): void {
    const { bytes, position } = this;
    let length = 0;
    while (length < word.length && bytes[position + length] === word.charCodeAt(length)) length++;
    if (length < word.length || position + length > this.end) throw this.unexpected(position, "a value");
    this.position = position + length;
  }

  protected string(): void {
    const { bytes, end } = this;
    let at = this.position + 1;
    let escaped = false;
    while (at < end) {
      const what = IN_STRING[bytes[at] ?? 0];
      if (what === 0) {
        at++;
      } else if (what === 1) {
        this.position = at + 1;
        this.escaped = escaped;
        return;
      } else if (what === 2) {
        escaped = true;
        at += this.escape(at);
      } else if (what === 3) {
        throw new ScanStop("syntax", "a control character inside a string must be escaped", at);
      } else {
        at += this.character(at);
      }
    }
    throw new ScanStop("syntax", "unexpected end, expected '\"'", at);
  }

  /** The length of an escape. */
  private escape(at: number): number {
    switch (at + 1 < this.end ? this.bytes[at + 1] : undefined) {
      case 0x22: // "
      case 0x5c: // \
      case 0x2f: // /
      case 0x62: // b
      case 0x66: // f
      case 0x6e: // n
      case 0x72: // r
      case 0x74: // t
        return 2;
      case 0x75: // u
        return this.unicodeEscape(at);
      default:
        throw this.unexpected(at + 1, "an escape");
    }
  }

  private unicodeEscape(at: number): number {
    const first = this.hex4(at + 2);
    if (first < 0xd800 || first > 0xdfff) return 6;
    const paired =
      first < 0xdc00 && this.bytes[at + 6] === BACKSLASH && this.bytes[at + 7] === 0x75 && at + 12 <= this.end;
    const second = paired ? this.hex4(at + 8) : 0;
    if (second < 0xdc00 || second > 0xdfff) throw loneSurrogate(at);
    return 12;
  }

  private hex4(at: number): number {
    let value = 0;
    for (let i = at; i < at + 4; i++) {
      const digit = i < this.end ? hexDigit(this.bytes[i] ?? 0) : -1;
      if (digit < 0) throw new ScanStop("syntax", "\\u needs four hex digits", at);
      value = value * 16 + digit;
    }
    return value;
  }

  /** The length of a character of several bytes. */
  private character(at: number): number {
    const length = sequenceLength(this.bytes, at);
    if (length === 0) {
      // The encoding of a surrogate, as a text that holds a lone one gives it.
      if (this.bytes[at] === 0xed && (this.bytes[at + 1] ?? 0) >= 0xa0) throw loneSurrogate(at);
      throw new ScanStop("not-utf8", NOT_UTF8, at);
    }
    this.surplus += length === 2 ? 1 : 2;
    return length;
  }

  private codePointAt(at: number): number {
    const first = this.bytes[at] ?? 0;
    if (first < 0x80) return first;
    const length = sequenceLength(this.bytes, at);
    if (length > 0) return textOf(this.bytes, at, at + length).codePointAt(0) ?? 0xfffd;
    const [second = 0, third = 0] = this.bytes.subarray(at + 1, at + 3);
    return first === 0xed ? 0xd000 | ((second & 0x3f) << 6) | (third & 0x3f) : 0xfffd;
  }

  protected number(): void {
    const start = this.position;
    if (this.peek() === 0x2d) this.position++;
    if (this.peek() === 0x30) this.position++;
    else if (this.digits() === 0) throw this.unexpected(start, "a value");
    if (this.peek() === 0x2e) {
      this.position++;
      if (this.digits() === 0) throw this.unexpected(this.position, "a digit");
    }
    const mantissa = this.position - start;
    let exponent = 0;
    const letter = this.peek();
    if (letter === 0x65 || letter === 0x45) {
      this.position++;
      const sign = this.peek();
      if (sign === 0x2b || sign === 0x2d) this.position++;
      exponent = this.digits();
      if (exponent === 0) throw this.unexpected(this.position, "a digit");
    }
    const length = this.position - start;
    if (length > NUMBER_LENGTH_MAX) {
      throw new ScanStop("number-length", `a number has more than ${NUMBER_LENGTH_MAX} characters`, start);
    }
    if (mantissa <= DIGITS_SAFE && exponent <= 2) return;
    if (!Number.isFinite(Number(textOf(this.bytes, start, this.position)))) {
      throw new ScanStop("number-range", "a number is beyond the range of a double", start);
    }
  }

  private digits(): number {
    const { bytes, end } = this;
    const start = this.position;
    let at = start;
    while (at < end) {
      const code = bytes[at] ?? 0;
      if (code < 0x30 || code > 0x39) break;
      at++;
    }
    this.position = at;
    return at - start;
  }
}

function loneSurrogate(at: number): ScanStop {
  return new ScanStop("lone-surrogate", "a lone surrogate is no character", at);
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
