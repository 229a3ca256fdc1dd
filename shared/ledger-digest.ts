/**
 * The digest of a ledger: a sum over the events taken, the same in whatever order and batches they came, and the same at
 * agent and edge. It shows accidents, not forgery.
 *
 * Each position adds a number of 64 bits made of the position and the event's bytes, as they were taken; the sum is modulo
 * 2^64. The number is two lanes of 32 bits, A the higher half. Each lane takes words of 32 bits in turn: the position's
 * lower and higher half, then the bytes, four to a word with the lowest first, the last word filled up with zeros (one of
 * zeros alone where nothing is left). With integers modulo 2^32:
 *
 *     A := rotate(0x9e3779b1 · (A xor WORD), 13) from 0x9e3779b1
 *     B := rotate(0xc2b2ae35 · (B + WORD), 17)   from 0x85ebca6b
 *
 * In the end each lane is xored with the number of bytes and mixed as MurmurHash3 mixes its own (fmix32). Changing one
 * word always changes both lanes. Plain arithmetic, since SHA-256 costs ten times as much as all else that is done to an
 * event.
 */

/** What one event adds, or many: two halves of 32 bits each, neither below zero, and how many events they are. */
export interface LedgerDigest {
  readonly high: number;
  readonly low: number;
  readonly count: number;
}

export const EMPTY_DIGEST: LedgerDigest = { high: 0, low: 0, count: 0 };

const HALF = 2 ** 32;
const PRIME_A = 0x9e3779b1;
const PRIME_B = 0xc2b2ae35;
const START_B = 0x85ebca6b;

/** A digest that grows. */
export class DigestSum {
  private high = 0;
  private low = 0;
  private count = 0;

  /** Adds what was taken at a position: `bytes` from one offset to another. */
  addEvent(position: number, bytes: Uint8Array, from: number, to: number): void {
    const lower = position | 0;
    const higher = Math.floor(position / HALF);
    let a = laneA(laneA(PRIME_A, lower), higher);
    let b = laneB(laneB(START_B, lower), higher);
    let at = from;
    for (const whole = to - ((to - from) & 3); at < whole; at += 4) {
      const word =
        (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
      a = laneA(a, word);
      b = laneB(b, word);
    }
    let rest = 0;
    for (let shift = 0; at < to; at++, shift += 8) rest |= (bytes[at] ?? 0) << shift;
    this.addHalves(mixed(laneA(a, rest) ^ (to - from)), mixed(laneB(b, rest) ^ (to - from)), 1);
  }

  /** Adds events that have no position: of each the first 16 digits of the hex that stands for its identity. */
  addIdentity(hex: string): void {
    this.addHalves(Number.parseInt(hex.slice(0, 8), 16), Number.parseInt(hex.slice(8, 16), 16), 1);
  }

  add({ high, low, count }: LedgerDigest): void {
    this.addHalves(high, low, count);
  }

  subtract({ high, low, count }: LedgerDigest): void {
    const borrow = low > this.low ? 1 : 0;
    this.low = (this.low - low) >>> 0;
    this.high = (this.high - high - borrow) >>> 0;
    this.count -= count;
  }

  private addHalves(high: number, low: number, count: number): void {
    const sum = this.low + low;
    this.low = sum >>> 0;
    this.high = (this.high + high + (sum >= HALF ? 1 : 0)) >>> 0;
    this.count += count;
  }

  get value(): LedgerDigest {
    return { high: this.high, low: this.low, count: this.count };
  }
}

/** A digest as ledgers show it: 16 hex digits. */
export function digestHex({ high, low }: Pick<LedgerDigest, "high" | "low">): string {
  return high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
}

function laneA(lane: number, word: number): number {
  const product = Math.imul(lane ^ word, PRIME_A);
  return (product << 13) | (product >>> 19);
}

function laneB(lane: number, word: number): number {
  const product = Math.imul((lane + word) | 0, PRIME_B);
  return (product << 17) | (product >>> 15);
}

/** The last step of MurmurHash3 of 32 bits; not below zero. */
function mixed(lane: number): number {
  let value = lane;
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
