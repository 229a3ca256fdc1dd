/**
 * The compact index of a batch row. An entry is 25 bytes: 16 of its content hash (zero where the stored text of an event
 * known by its position is compared itself), 4 of its length in the
 * payload, 4 of its ordinal (see ordinal.ts), 1 of its status; integers big-endian.
 */

import { CONTENT_HASH_BYTES, toHex } from "../../shared/identity.ts";

export const ENTRY_BYTES = CONTENT_HASH_BYTES + 9;

/** In place of a hash that nobody compares. */
export const NO_HASH = new Uint8Array(CONTENT_HASH_BYTES);

/** Where in an entry its ordinal begins. */
export const ORDINAL_AT = CONTENT_HASH_BYTES + 4;

export const ENTRY_STATUS = {
  /** In the payload, to be delivered. */
  stored: 0,
  /** Takes its position, but the event was there before under its own id. */
  positionOnly: 1,
  /** Accepted, and handed to quarantine by Weir itself. */
  quarantined: 2,
} as const;
export type EntryStatus = (typeof ENTRY_STATUS)[keyof typeof ENTRY_STATUS];

export interface Entry {
  /** First 16 bytes of the content hash. */
  readonly hash: Uint8Array;
  /** UTF-16 units of its source in the payload; 0 where it has none there. */
  readonly length: number;
  readonly ordinal: number;
  readonly status: EntryStatus;
}

export function encodeEntries(entries: readonly Entry[]): Uint8Array {
  const bytes = new Uint8Array(entries.length * ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  entries.forEach((entry, i) => {
    const at = i * ENTRY_BYTES;
    if (entry.hash !== NO_HASH) bytes.set(entry.hash.subarray(0, CONTENT_HASH_BYTES), at);
    view.setUint32(at + CONTENT_HASH_BYTES, entry.length);
    view.setUint32(at + ORDINAL_AT, entry.ordinal);
    bytes[at + CONTENT_HASH_BYTES + 8] = entry.status;
  });
  return bytes;
}

/** What most entries hold, each as one letter that is no hex digit: no hash; the ordinal of a position and stored. */
const SHORT = { z: "00".repeat(CONTENT_HASH_BYTES), p: "0000000100" } as const;

/** The blob of entries in SQL, from the texts of them. */
export function entriesFrom(texts: string): string {
  return `unhex(replace(replace(${texts}, 'z', '${SHORT.z}'), 'p', '${SHORT.p}'))`;
}

const LENGTH_TEXTS = Array.from({ length: 1024 }, (_, length) => hex32(length));

/** An entry in hex, with letters for what most of them hold: half of what is bound of a small event would be zeros. */
export function entryText({ hash, length, ordinal, status }: Entry): string {
  const start = hash === NO_HASH ? "z" : toHex(hash.subarray(0, CONTENT_HASH_BYTES));
  const end = ordinal === 1 && status === ENTRY_STATUS.stored ? "p" : `${hex32(ordinal)}0${status}`;
  return start + (LENGTH_TEXTS[length] ?? hex32(length)) + end;
}

function hex32(number: number): string {
  return number.toString(16).padStart(8, "0");
}

export interface EntrySpan {
  /** Where its source stands in the payload, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
  readonly ordinal: number;
  readonly status: number;
}

/**
 * Where each entry of a batch stands in its payload.
 * @param hex the entries blob in hex, as SQL's `hex()` gives it.
 */
export function entrySpans(hex: string): EntrySpan[] {
  const spans: EntrySpan[] = [];
  let start = 0;
  for (let at = 0; at < hex.length; at += ENTRY_BYTES * 2) {
    const lengthAt = at + CONTENT_HASH_BYTES * 2;
    const length = Number.parseInt(hex.slice(lengthAt, lengthAt + 8), 16);
    const ordinal = Number.parseInt(hex.slice(lengthAt + 8, lengthAt + 16), 16);
    const status = Number.parseInt(hex.slice(lengthAt + 16, lengthAt + 18), 16);
    spans.push({ start, end: start + length, ordinal, status });
    if (status === ENTRY_STATUS.stored) start += length + 1;
  }
  return spans;
}
