import { CLOSE_BRACE, CLOSE_BRACKET, COMMA, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "./characters.ts";
import { countLines } from "./lines.ts";
import { skipString } from "./skip.ts";
import { Source } from "./source.ts";
import { hasByteOrderMark } from "./utf8-sequence.ts";

/**
 * How many events a body seems to hold, counted without checking them: commas at the array's own level, or
 * lines that are not blank. For saying "too many" of a body whose events are invalid too.
 */
export function countEvents(body: string | Uint8Array, form: "json" | "ndjson"): number {
  const { bytes } = new Source(body);
  return form === "ndjson" ? countLines(bytes) : countIn(bytes, hasByteOrderMark(bytes) ? 3 : 0, bytes.length);
}

/** As {@link countEvents}, of a part of a body, JSON. */
export function countIn(bytes: Uint8Array, from: number, to: number): number {
  let depth = 0;
  let commas = 0;
  let items = false;
  for (let at = from; at < to; at++) {
    const code = bytes[at] ?? 0;
    if (code <= 0x20) continue;
    if (depth === 0 && code !== OPEN_BRACKET) return items ? commas + 1 : 1;
    if (code === CLOSE_BRACKET || code === CLOSE_BRACE) {
      depth--;
      if (depth === 0) break;
      continue;
    }
    if (depth === 1 && code === COMMA) commas++;
    if (depth >= 1) items = true;
    if (code === QUOTE) at = skipString(bytes, at) - 1;
    else if (code === OPEN_BRACKET || code === OPEN_BRACE) depth++;
  }
  return items ? commas + 1 : 0;
}
