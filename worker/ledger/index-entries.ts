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
  const { length } = entries;
  // Numbers sort far faster than the texts: digits and place in one stay below 2^53 for eight million entries.
  const order = new Float64Array(length);
  const places: string[] = [];
  let [batchBefore, batchText] = [-1, ""];
  for (const [i, { digits, batch, entry }] of entries.entries()) {
    if (batch !== batchBefore) [batchBefore, batchText] = [batch, toBase62(batch, BATCH_DIGITS)];
    order[i] = digits * length + i;
    places.push(batchText + toBase62(entry));
  }
  order.sort();
  const texts: string[] = [];
  for (const number of order) {
    const digits = Math.floor(number / length);
    texts.push(entryMark(digits) + (places[number - digits * length] ?? ""));
  }
  return texts.join("");
}

/** The part of a level that holds these digits; a part lies within one of the level before. */
export function partOf(digits: number, level: number): number {
  return Math.floor((digits * FANOUT ** level) / LAST_DIGITS_END);
}

/** The entries of blocks by the part of a level that each belongs to, as blocks again. */
export function splitBlocks(texts: readonly string[], level: number): Map<number, string> {
  const parts = new Map<number, string[]>();
  for (const text of texts) {
    for (let from = 0; from < text.length; ) {
      const part = partOf(fromBase62(text.slice(from + 1, from + 1 + DIGITS)), level);
      const to = firstFrom(text, from, beginOf(part + 1, level));
      const runs = parts.get(part) ?? [];
      runs.push(text.slice(from, to));
      parts.set(part, runs);
      from = to;
    }
  }
  return new Map([...parts].map(([part, runs]) => [part, merged(runs)]));
}

/** The lowest digits of a part. */
function beginOf(part: number, level: number): number {
  return Math.ceil((part * LAST_DIGITS_END) / FANOUT ** level);
}

/** Where in a block, behind the entry at `from`, the first begins whose digits are not below some. */
function firstFrom(text: string, from: number, digits: number): number {
  if (digits >= LAST_DIGITS_END) return text.length;
  const mark = entryMark(digits);
  let [low, high] = [from, text.length];
  while (low < high) {
    const at = text.lastIndexOf(",", (low + high) >> 1);
    if (text.slice(at, at + mark.length) >= mark) {
      high = at;
      continue;
    }
    const next = text.indexOf(",", at + 1);
    low = next < 0 ? text.length : next;
  }
  return low;
}

/** Runs of entries, each in order, as one in order. */
function merged(runs: readonly string[]): string {
  const [only] = runs;
  if (only !== undefined && runs.length === 1) return only;
  return `,${runs.join("").slice(1).split(",").sort().join(",")}`;
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
