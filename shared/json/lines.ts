/** Lines of NDJSON in a text: each ends at a newline, the last at the text's end; blank ones hold no event. */

/** Where the line that begins at `from` ends: the index of its newline, or the text's length. */
export function endOfLine(text: string, from: number): number {
  const newline = text.indexOf("\n", from);
  return newline < 0 ? text.length : newline;
}

/** Whether a line holds nothing but JSON's white space. */
export function isBlankLine(line: string): boolean {
  return /^[ \t\r\n]*$/.test(line);
}

/** How many lines are not blank. */
export function countLines(text: string): number {
  let lines = 0;
  for (let from = 0; from < text.length; ) {
    const end = endOfLine(text, from);
    if (!isBlankLine(text.slice(from, end))) lines++;
    from = end + 1;
  }
  return lines;
}
