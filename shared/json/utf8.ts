/** Bytes and text, strictly by UTF-8. */
import type { ScanError } from "./scan-error.ts";
import { invalidUtf8At, NOT_UTF8 } from "./utf8-sequence.ts";

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
    return { kind: "invalid", error: { kind: "not-utf8", message: NOT_UTF8, offset: invalidUtf8At(bytes) } };
  }
  return { kind: "text", text };
}
