/** Where values end in bytes that a scan has checked; on others these run on without sense. */
import { BACKSLASH, CLOSE_BRACE, CLOSE_BRACKET, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "./characters.ts";

export function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  while ((bytes[at] ?? 0xff) <= 0x20) at++;
  return at;
}

/** @param from of the opening quote. @returns where the closing one ends. */
export function skipString(bytes: Uint8Array, from: number): number {
  for (let at = from + 1; at < bytes.length; at++) {
    const code = bytes[at];
    if (code === BACKSLASH) at++;
    else if (code === QUOTE) return at + 1;
  }
  return bytes.length;
}

export function skipValue(bytes: Uint8Array, from: number): number {
  const first = bytes[from];
  if (first === QUOTE) return skipString(bytes, from);
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return skipNested(bytes, from);
  let at = from;
  // Words and numbers end before the first byte that none of theirs is: white space, a comma, a bracket, a brace.
  while (at < bytes.length && !ENDS_TOKEN.has(bytes[at] ?? 0)) at++;
  return at;
}

const ENDS_TOKEN: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d, 0x2c, CLOSE_BRACE, CLOSE_BRACKET]);

function skipNested(bytes: Uint8Array, from: number): number {
  let depth = 0;
  for (let at = from; at < bytes.length; at++) {
    const code = bytes[at];
    if (code === QUOTE) at = skipString(bytes, at) - 1;
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) depth++;
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      depth--;
      if (depth === 0) return at + 1;
    }
  }
  return bytes.length;
}
