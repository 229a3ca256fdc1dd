/** Bytes and text, strictly by UTF-8. */
import type { ScanError } from "./scan-error.ts";

/**
 * Decodes UTF-8 strictly. Gives an error with the byte offset for bytes that are not UTF-8. A byte order mark
 * stays in the text, where every scan refuses it (RFC 8259, section 8.1, lets a reader do so).
 */
export function decodeBody(
  bytes: Uint8Array,
): { readonly kind: "text"; readonly text: string } | { readonly kind: "invalid"; readonly error: ScanError } {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const offset = validUtf8Length(bytes);
    return { kind: "invalid", error: { kind: "not-utf8", message: "the body is not UTF-8", offset } };
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

/** Whether a text's UTF-8 form is longer than `bytesMax`; encodes only where the length leaves a doubt. */
export function isLongerThan(text: string, bytesMax: number): boolean {
  if (text.length > bytesMax) return true;
  if (text.length * 3 <= bytesMax) return false;
  return new TextEncoder().encode(text).length > bytesMax;
}
