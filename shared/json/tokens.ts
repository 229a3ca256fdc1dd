/** The tokens of JSON (RFC 8259): white space, words, strings and numbers, and where in the text the reader stands. */
import { BACKSLASH, QUOTE } from "./characters.ts";
import { ScanStop } from "./scan-error.ts";
import { JsonNumber } from "./value.ts";

/** Characters of one number. */
export const NUMBER_LENGTH_MAX = 400;

/** Reads one token after another; what is none ends the scan with a ScanStop. */
export class Tokens {
  readonly text: string;
  position = 0;
  /** Where this document ends; for lines, the end of the line. */
  end: number;

  constructor(text: string) {
    this.text = text;
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

  unexpected(at: number, wanted: string): ScanStop {
    if (at >= this.end) return new ScanStop("syntax", `unexpected end, expected ${wanted}`, at);
    const shown = JSON.stringify(String.fromCodePoint(this.text.codePointAt(at) ?? 0));
    return new ScanStop("syntax", `unexpected ${shown}, expected ${wanted}`, at);
  }

  protected word<T extends boolean | null>(word: string, value: T): T {
    if (this.position + word.length > this.end || !this.text.startsWith(word, this.position)) {
      throw this.unexpected(this.position, "a value");
    }
    this.position += word.length;
    return value;
  }

  protected string(): string {
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
        throw new ScanStop("syntax", "a control character inside a string must be escaped", at);
      } else if (code >= 0xd800 && code <= 0xdfff) {
        if (code >= 0xdc00 || !isLowSurrogate(text.charCodeAt(at + 1))) {
          throw new ScanStop("lone-surrogate", "a lone surrogate is no character", at);
        }
        at += 2;
      } else {
        at++;
      }
    }
    throw new ScanStop("syntax", "unexpected end, expected '\"'", at);
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
    if (!isLowSurrogate(second)) throw new ScanStop("lone-surrogate", "a lone surrogate is no character", at);
    return [String.fromCharCode(first, second), 12];
  }

  private hex4(at: number): number {
    const digits = this.text.slice(at, Math.min(at + 4, this.end));
    if (!/^[0-9A-Fa-f]{4}$/.test(digits)) throw new ScanStop("syntax", "\\u needs four hex digits", at);
    return Number.parseInt(digits, 16);
  }

  protected number(): JsonNumber {
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
      throw new ScanStop("number-length", `a number has more than ${NUMBER_LENGTH_MAX} characters`, start);
    }
    // Below 300 digits an integer cannot reach a double's bound of about 1.8e308.
    if (!(integer && text.length < 300) && !Number.isFinite(Number(text))) {
      throw new ScanStop("number-range", "a number is beyond the range of a double", start);
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
