/** Lines of NDJSON: each ends at a newline, the last at the body's end; blank ones hold no event. */

const NEWLINE = 0x0a;

/** Where the line that begins at `from` ends: the index of its newline, or the body's length. */
export function endOfLine(bytes: Uint8Array, from: number): number {
  const newline = bytes.indexOf(NEWLINE, from);
  return newline < 0 ? bytes.length : newline;
}

/** Whether a line holds nothing but JSON's white space. */
export function isBlankLine(line: Uint8Array): boolean {
  return line.every((code) => code === 0x20 || code === 0x09 || code === 0x0d || code === NEWLINE);
}

/** How many lines are not blank. */
export function countLines(bytes: Uint8Array): number {
  let lines = 0;
  for (let from = 0; from < bytes.length; ) {
    const end = endOfLine(bytes, from);
    if (!isBlankLine(bytes.subarray(from, end))) lines++;
    from = end + 1;
  }
  return lines;
}
