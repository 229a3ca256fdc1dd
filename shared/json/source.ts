/** A body's bytes, and texts made of them: only of what somebody asks for. */

/** Keeps a byte order mark inside a string, where it is a character like any other. */
const DECODER = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
/** Up to here a text is put together faster by hand than by a decoder. */
const SHORT_BYTES = 64;

/** UTF-8 bytes with, on demand, the text they stand for. A text with lone surrogates is kept so that a scan meets them. */
export class Source {
  readonly bytes: Uint8Array;
  /** False where the bytes were made of a text, and so are UTF-8 but for lone surrogates. */
  readonly isBytes: boolean;
  private whole: string | null;

  constructor(body: string | Uint8Array) {
    this.isBytes = typeof body !== "string";
    this.bytes = typeof body === "string" ? encode(body) : body;
    this.whole = typeof body === "string" ? body : null;
  }

  /** The body as text; made once. */
  get text(): string {
    this.whole ??= DECODER.decode(this.bytes);
    return this.whole;
  }
}

/** By length, filled anew for each text: a list for each would be many times its text. */
const CODES: readonly number[][] = Array.from({ length: SHORT_BYTES + 1 }, (_, length) => Array(length).fill(0));

/** The text of bytes that are UTF-8. */
export function textOf(bytes: Uint8Array, from: number, to: number): string {
  const codes = CODES[to - from];
  if (codes === undefined) return DECODER.decode(bytes.subarray(from, to));
  for (let at = 0; at < codes.length; at++) {
    const code = bytes[from + at] ?? 0;
    if (code >= 0x80) return DECODER.decode(bytes.subarray(from, to));
    codes[at] = code;
  }
  return String.fromCharCode.apply(null, codes);
}

/** A text in UTF-8; a lone surrogate as three bytes of its own, which no UTF-8 holds. */
function encode(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  if (text.isWellFormed()) return bytes;
  let at = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    // The encoder wrote U+FFFD in its place, which is as long.
    if (!character.isWellFormed())
      bytes.set([0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)], at);
    at += lengthOf(code);
  }
  return bytes;
}

function lengthOf(codePoint: number): number {
  if (codePoint < 0x80) return 1;
  if (codePoint < 0x800) return 2;
  return codePoint < 0x10000 ? 3 : 4;
}
