/** Lines of bytes, each ended by a newline. */
export const NEWLINE = 0x0a;

/** Where the last whole line ends, behind its newline; 0 where there is none. */
export function endOfLines(bytes: Uint8Array): number {
  return bytes.lastIndexOf(NEWLINE) + 1;
}

/** The lines of a text in bytes, without their newlines; views, not copies. The last may have none. */
export function splitLines(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let from = 0; from < bytes.length; ) {
    const newline = bytes.indexOf(NEWLINE, from);
    const end = newline < 0 ? bytes.length : newline;
    lines.push(bytes.subarray(from, end));
    from = end + 1;
  }
  return lines;
}

/** Puts lines together again, each with its newline. */
export function joinLines(lines: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(lines.flatMap((line) => [line, NEWLINE_BYTES]));
}

const NEWLINE_BYTES = Uint8Array.of(NEWLINE);
