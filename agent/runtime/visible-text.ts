/**
 * Text that others wrote (a vendor's words, events, names of files, values of settings) as a terminal may show it: what
 * would move the cursor, change colours or titles, or turn the reading direction round is written out.
 */

/** C0, DEL and C1; what ends a line; what changes the direction of what follows. */
const HIDDEN = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;
const HIDDEN_BUT_LAYOUT = /[^\P{Cc}\n\t]|[\p{Bidi_Control}\u2028\u2029]/gu;

/** One line of text: line breaks and tabs are written out too. */
export function visible(text: string): string {
  return text.replace(HIDDEN, writtenOut);
}

/** Several lines, such as a document in JSON: their breaks and tabs stay. What is JSON still means the same. */
export function visibleLines(text: string): string {
  return text.replace(HIDDEN_BUT_LAYOUT, writtenOut);
}

/** A value of plain data with every text in it changed. */
export function mapTexts<T>(value: T, change: (text: string) => string): T {
  const mapped = (part: unknown): unknown => {
    if (typeof part === "string") return change(part);
    if (Array.isArray(part)) return part.map(mapped);
    if (typeof part !== "object" || part === null) return part;
    return Object.fromEntries(Object.entries(part).map(([name, held]) => [name, mapped(held)]));
  };
  // Texts stay texts, and all else stays as it was.
  return mapped(value) as T;
}

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** As JSON writes it. */
function writtenOut(character: string): string {
  return SHORT[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
