/**
 * What makes two events the same, and the id that follows from it.
 *
 * An event's identity is the first of: its own id, the request's idempotency key with the event's index, its
 * producer position, its content with its number among equal ones of the request. Where it goes is part of it: the same
 * event sent for another entity, org or platform is another event. Only a position belongs to producer and stream alone.
 * The id is a function of kind, stream, identity and those ids, so that agent and edge give an event the same id without
 * having to talk.
 */
import { idPrefixOf, type Kind } from "./events/kind.ts";
import { canonicalText } from "./json/canonical.ts";
import { withCanonical } from "./json/canonical-bytes.ts";
import { type Fields, SpanObject } from "./json/span.ts";
import { JsonNumber } from "./json/value.ts";
import { ALPHANUMERICS } from "./random-text.ts";
import { sha256, sha256OfText, sha256Words } from "./sha256.ts";

/** What is kept of an event's content hash: the first bytes of SHA-256, in ledger and log alike. */
export const CONTENT_HASH_BYTES = 16;

/** What is kept of the hash that an event's key is made of. */
export const KEY_HASH_BYTES = 16;

export type Identity =
  | { readonly by: "id"; readonly id: string }
  | { readonly by: "key"; readonly key: string; readonly index: number }
  | { readonly by: "position"; readonly producer: string; readonly position: number }
  | {
      readonly by: "content";
      /** SHA-256 in hex, 64 digits. */
      readonly hash: string;
      /** Among the equal ones of its request, from 1. */
      readonly number: number;
    }
  /** Like no other: what happens when it arrives, or where contents are not compared. */
  | {
      readonly by: "new";
      /** Of its request, the same however often that is filed. */
      readonly nonce: string;
      readonly index: number;
    };

/** The ids that a request names in its headers: where its events go. Null where it names none. */
export interface SentIds {
  /** Zuora's entities and organisations: comma-separated, without blanks. */
  readonly entityIds: string | null;
  readonly orgIds: string | null;
  /** Solvimon's platform. */
  readonly platformId: string | null;
}

/**
 * Sent ids as one text, in identities and wherever events that go to different places are kept apart: JSON
 * `{"entity":"…","org":"…","platform":"…"}`, in this order, of those that were named; empty where none was.
 */
export function sentIdsText({ entityIds, orgIds, platformId }: SentIds): string {
  if (entityIds === null && orgIds === null && platformId === null) return "";
  return JSON.stringify({
    ...(entityIds === null ? {} : { entity: entityIds }),
    ...(orgIds === null ? {} : { org: orgIds }),
    ...(platformId === null ? {} : { platform: platformId }),
  });
}

/**
 * The text that stands for an identity wherever one is hashed: `i:`, `k:`, `p:`, `c:` or `n:` and what follows; sent ids
 * before an own id, a key or a content, as `s:IDS LF`.
 * @param sentIds as {@link sentIdsText} gives them.
 */
export function identityText(identity: Identity, sentIds = ""): string {
  const where = sentIds === "" ? "" : `s:${sentIds}\n`;
  switch (identity.by) {
    case "id":
      return `${where}i:${identity.id}`;
    case "key":
      return `${where}k:${identity.key}#${identity.index}`;
    case "position":
      return `p:${identity.producer}:${identity.position}`;
    case "content":
      return `${where}c:${identity.hash}${identity.number === 1 ? "" : `#${identity.number}`}`;
    case "new":
      return `n:${identity.nonce}#${identity.index}`;
  }
}

/** SHA-256 of an event's canonical text, 32 bytes. `readOnly` names top-level fields that are not content. */
export function contentHash(event: Fields, readOnly: ReadonlySet<string> = NOTHING): Uint8Array {
  if (event instanceof SpanObject) return withCanonical(event.bytes, event.from, event.to, readOnly, hashOf);
  return sha256OfText(canonicalText(new Map([...event].filter(([name]) => !readOnly.has(name)))));
}

const NOTHING: ReadonlySet<string> = new Set();
const hashOf = (canonical: Uint8Array, length: number) => sha256(canonical, 0, length);

/**
 * An event's own id as text: a string as it is, a number by its source text, so that 1 and "1" are one id.
 * Null where there is none: absent, null, or the empty string.
 */
export function ownIdOf(value: unknown): string | null {
  if (typeof value === "string") return value === "" ? null : value;
  return value instanceof JsonNumber ? value.text : null;
}

/**
 * The id of an event: the kind's prefix, then SHA-256 of `KIND LF STREAM LF IDENTITY` as a big-endian integer
 * modulo 62^20, written in 20 digits of 0-9A-Za-z.
 * @param sentIds as {@link sentIdsText} gives them.
 */
export function eventId(kind: Kind, stream: string, identity: Identity, sentIds = ""): string {
  const hash = sha256OfText(`${kind}\n${stream}\n${identityText(identity, sentIds)}`);
  return idPrefixOf(kind) + base62(hash);
}

// Four divisions by 62^5 over 16-bit digits stay below 2^46, exact in a double; BigInt takes ten times as long.
const FIVE_DIGITS = 62 ** 5;
const LIMBS = new Float64Array(16);
const PAIRS = Array.from(
  { length: 62 ** 2 },
  (_, i) => ALPHANUMERICS.charAt(Math.floor(i / 62)) + ALPHANUMERICS.charAt(i % 62),
);

function base62(hash: Uint8Array): string {
  for (let i = 0; i < 16; i++) LIMBS[i] = (hash[2 * i] ?? 0) * 256 + (hash[2 * i + 1] ?? 0);
  let digits = "";
  for (let group = 0; group < 4; group++) {
    const rest = nextFiveDigits();
    const three = Math.floor(rest / 62 ** 2);
    const first = ALPHANUMERICS.charAt(Math.floor(three / 62 ** 2));
    digits = `${first}${PAIRS[three % 62 ** 2]}${PAIRS[rest % 62 ** 2]}${digits}`;
  }
  return digits;
}

/** Writes the 20 digits of an id, of the hash as eight words, in ASCII. */
export function writeDigits(words: Int32Array, into: Uint8Array, at: number): void {
  for (let word = 0; word < 8; word++) {
    LIMBS[2 * word] = (words[word] ?? 0) >>> 16;
    LIMBS[2 * word + 1] = (words[word] ?? 0) & 0xffff;
  }
  let to = at + 20;
  for (let group = 0; group < 4; group++) {
    let rest = nextFiveDigits();
    for (let digit = 0; digit < 5; digit++) {
      const left = Math.floor(rest / 62);
      into[--to] = DIGIT_CODES[rest - 62 * left] ?? 0;
      rest = left;
    }
  }
}

const DIGIT_CODES = Uint8Array.from(ALPHANUMERICS, (digit) => digit.charCodeAt(0));

/** Divides what is in LIMBS by 62^5. @returns the remainder. */
function nextFiveDigits(): number {
  let rest = 0;
  for (let i = 0; i < 16; i++) {
    const current = rest * 65536 + (LIMBS[i] ?? 0);
    const quotient = Math.floor(current / FIVE_DIGITS);
    rest = current - quotient * FIVE_DIGITS;
    LIMBS[i] = quotient;
  }
  return rest;
}

/** Of a position, the longest. */
const DECIMALS_MAX = 16;

/**
 * The last five digits, as a number, of the ids of events at a producer's positions, without making the other fifteen: what
 * an index of ids is kept by. Of two ids one in 916 million times the same.
 */
export class PositionDigits {
  /** What an id is a hash of, up to the position. */
  private readonly text: Uint8Array;
  private readonly textLength: number;

  constructor(kind: Kind, stream: string, producer: string) {
    const text = new TextEncoder().encode(`${kind}\n${stream}\np:${producer}:`);
    this.text = new Uint8Array(text.length + DECIMALS_MAX);
    this.text.set(text);
    this.textLength = text.length;
  }

  of(position: number): number {
    const words = sha256Words(this.text, 0, this.write(position));
    let rest = 0;
    for (let word = 0; word < 8; word++) {
      const bits = words[word] ?? 0;
      rest = remainder(remainder(rest * 65536 + (bits >>> 16)) * 65536 + (bits & 0xffff));
    }
    return rest;
  }

  /** @returns where the text ends. */
  private write(position: number): number {
    let length = this.textLength + 1;
    for (let rest = position; rest >= 10; rest = Math.floor(rest / 10)) length++;
    let rest = position;
    for (let at = length - 1; at >= this.textLength; at--) {
      const tenth = Math.floor(rest / 10);
      this.text[at] = 0x30 + (rest - 10 * tenth);
      rest = tenth;
    }
    return length;
  }
}

/** By 62^5, of less than 2^46: far from where a quotient would be rounded up. */
function remainder(number: number): number {
  return number - Math.floor(number / FIVE_DIGITS) * FIVE_DIGITS;
}

/** How many values {@link PositionDigits} has. */
export const LAST_DIGITS_END = FIVE_DIGITS;

/** The last five digits of an id as a number; null for a text that is no event's id. */
export function lastDigitsOf(id: string): number | null {
  return /^[a-z]{4}_[0-9A-Za-z]{20}$/.test(id) ? fromBase62(id.slice(-5)) : null;
}

/** A whole number in digits of 0-9A-Za-z, filled up with zeros to a width. */
export function toBase62(number: number, width = 1): string {
  let digits = "";
  for (let rest = number; rest > 0; rest = Math.floor(rest / 62)) digits = ALPHANUMERICS.charAt(rest % 62) + digits;
  return digits.padStart(width, "0");
}

/** The number that {@link toBase62} wrote. */
export function fromBase62(digits: string): number {
  let number = 0;
  for (const digit of digits) number = number * 62 + Math.max(0, ALPHANUMERICS.indexOf(digit));
  return number;
}

export function toHex(bytes: Uint8Array): string {
  let hex = "";
  for (let at = 0; at < bytes.length; at++) hex += HEX[bytes[at] ?? 0] ?? "";
  return hex;
}

/** The first words of a hash in hex, 8 digits each. */
export function wordsHex(words: Int32Array, count: number): string {
  let hex = "";
  for (let at = 0; at < count; at++) {
    const word = words[at] ?? 0;
    hex += `${HEX[word >>> 24]}${HEX[(word >>> 16) & 255]}${HEX[(word >>> 8) & 255]}${HEX[word & 255]}`;
  }
  return hex;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
