/**
 * A block of the event index, as text: entries in the order of their digits, each a comma, the last five digits of an
 * event's id, nine digits for its batch and at least one for its entry there, all of 0-9A-Za-z. No digit is a comma, so a
 * search for `,DIGITS` finds an entry's beginning or nothing.
 */
import { fromBase62, LAST_DIGITS_END, toBase62 } from "../../shared/identity.ts";

const DIGITS = 5;
const BATCH_DIGITS = 9;

/** How many parts of the next level a part is cut into, and how many of its blocks are joined to do so. */
export const FANOUT = 8;
/** Levels of parts; on the last one nothing is cut any more. It would take a thousand million events to get there. */
export const LEVEL_MAX = 6;

export interface IndexEntry {
  /** The last five digits of its id, as a number. */
  readonly digits: number;
  readonly batch: number;
  readonly entry: number;
}

/** The text by which an entry begins. */
export function entryMark(digits: number): string {
  return `,${toBase62(digits, DIGITS)}`;
}

export function blockText(entries: readonly IndexEntry[]): string {
  return entries
    .map(({ digits, batch, entry }) => entryMark(digits) + toBase62(batch, BATCH_DIGITS) + toBase62(entry))
    .sort()
    .join("");
}

/** The part of a level that holds these digits; a part lies within one of the level before. */
export function partOf(digits: number, level: number): number {
  return Math.floor((digits * FANOUT ** level) / LAST_DIGITS_END);
}

/** The entries of blocks by the part of a level that each belongs to, as blocks again. */
export function splitBlocks(texts: readonly string[], level: number): Map<number, string> {
  const parts = new Map<number, string[]>();
  for (const text of texts) {
    for (const entry of text.split(",")) {
      if (entry === "") continue;
      const part = partOf(fromBase62(entry.slice(0, DIGITS)), level);
      const found = parts.get(part);
      if (found === undefined) parts.set(part, [entry]);
      else found.push(entry);
    }
  }
  return new Map([...parts].map(([part, entries]) => [part, `,${entries.sort().join(",")}`]));
}

/** Where an event may be filed. */
export type Place = Pick<IndexEntry, "batch" | "entry">;

/**
 * The places of the entries with these digits.
 * @param found a block's text from the first of them on, cut off somewhere.
 */
export function placesIn(found: string, digits: number): Place[] {
  const mark = entryMark(digits).slice(1);
  const places: Place[] = [];
  for (const entry of found.split(",").slice(1)) {
    if (!entry.startsWith(mark)) break;
    const batch = fromBase62(entry.slice(DIGITS, DIGITS + BATCH_DIGITS));
    places.push({ batch, entry: fromBase62(entry.slice(DIGITS + BATCH_DIGITS)) });
  }
  return places;
}
