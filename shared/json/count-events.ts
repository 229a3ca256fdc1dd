import { BACKSLASH, CLOSE_BRACE, CLOSE_BRACKET, COMMA, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "./characters.ts";
import { countLines } from "./lines.ts";

/**
 * How many events a body seems to hold, counted without checking them: commas at the array's own level, or
 * lines that are not blank. For saying "too many" of a body whose events are invalid too.
 */
export function countEvents(text: string, form: "json" | "ndjson"): number {
  if (form === "ndjson") return countLines(text);
  let depth = 0;
  let commas = 0;
  let items = false;
  for (let at = text.startsWith("\ufeff") ? 1 : 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code <= 0x20) continue;
    if (depth === 0 && code !== OPEN_BRACKET) return items ? commas + 1 : 1;
    if (code === CLOSE_BRACKET || code === CLOSE_BRACE) {
      depth--;
      if (depth === 0) break;
      continue;
    }
    if (depth === 1 && code === COMMA) commas++;
    if (depth >= 1) items = true;
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === OPEN_BRACKET || code === OPEN_BRACE) depth++;
  }
  return items ? commas + 1 : 0;
}

/** Index of the quote that closes the string opened at `at`, or the text's end. */
function endOfString(text: string, at: number): number {
  for (let next = at + 1; next < text.length; next++) {
    const code = text.charCodeAt(next);
    if (code === BACKSLASH) next++;
    else if (code === QUOTE) return next;
  }
  return text.length;
}
