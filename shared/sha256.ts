/**
 * SHA-256 (FIPS 180-4) of short texts, synchronous in workerd and Node. An event may be hashed several times, each time a
 * block or two: what a general implementation does around the blocks costs four times as much as they do.
 */

/** The first 32 bits of the fractions of the cube roots of the first 64 primes, and of the square roots of the first 8. */
const ROUND = Int32Array.from(primes(64), (prime) => fractionBits(Math.cbrt(prime)));
const INITIAL = Int32Array.from(primes(8), (prime) => fractionBits(Math.sqrt(prime)));

const BLOCK_BYTES = 64;
/** Where in the last block the length begins. */
const LENGTH_AT = 56;
/** Texts up to here are put into bytes by hand, which is faster than an encoder. */
const SHORT_TEXT = 512;

const state = new Int32Array(8);
const schedule = new Int32Array(64);
/** The end of the bytes, filled up to whole blocks. */
const tail = new Uint8Array(2 * BLOCK_BYTES);
const shortText = new Uint8Array(SHORT_TEXT);
const ENCODER = new TextEncoder();

/** The hash over `bytes` between two offsets as eight words of 32 bits, the highest first; good until the next hash. */
export function sha256Words(bytes: Uint8Array, from: number, to: number): Int32Array {
  run(bytes, from, to);
  return state;
}

/** The 32 bytes of the hash over `bytes` between two offsets. */
export function sha256(bytes: Uint8Array, from = 0, to = bytes.length): Uint8Array {
  run(bytes, from, to);
  const hash = new Uint8Array(32);
  for (let word = 0, at = 0; word < 8; word++) {
    const value = state[word] ?? 0;
    hash[at++] = value >>> 24;
    hash[at++] = value >>> 16;
    hash[at++] = value >>> 8;
    hash[at++] = value;
  }
  return hash;
}

/** The hash over a text in UTF-8. */
export function sha256OfText(text: string): Uint8Array {
  const { length } = text;
  if (length > SHORT_TEXT) return sha256(ENCODER.encode(text));
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    if (code >= 0x80) return sha256(ENCODER.encode(text));
    shortText[at] = code;
  }
  return sha256(shortText, 0, length);
}

function run(bytes: Uint8Array, from: number, to: number): void {
  state.set(INITIAL);
  let at = from;
  for (; to - at >= BLOCK_BYTES; at += BLOCK_BYTES) block(bytes, at);
  let length = 0;
  while (at < to) tail[length++] = bytes[at++] ?? 0;
  tail[length++] = 0x80;
  const end = length > LENGTH_AT ? 2 * BLOCK_BYTES : BLOCK_BYTES;
  tail.fill(0, length, end);
  const bits = (to - from) * 8;
  const high = Math.floor(bits / 2 ** 32);
  for (let i = 0; i < 4; i++) {
    tail[end - 8 + i] = high >>> (24 - 8 * i);
    tail[end - 4 + i] = bits >>> (24 - 8 * i);
  }
  block(tail, 0);
  if (end > BLOCK_BYTES) block(tail, BLOCK_BYTES);
}

// The names are the standard's (section 6.2.2).
function block(bytes: Uint8Array, from: number): void {
  const w = schedule;
  for (let i = 0, at = from; i < 16; i++, at += 4) {
    w[i] = ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
  }
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15] ?? 0;
    const y = w[i - 2] ?? 0;
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = ((w[i - 16] ?? 0) + s0 + (w[i - 7] ?? 0) + s1) | 0;
  }
  let a = state[0] ?? 0;
  let b = state[1] ?? 0;
  let c = state[2] ?? 0;
  let d = state[3] ?? 0;
  let e = state[4] ?? 0;
  let f = state[5] ?? 0;
  let g = state[6] ?? 0;
  let h = state[7] ?? 0;
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (ROUND[i] ?? 0) + (w[i] ?? 0)) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  add(0, a);
  add(1, b);
  add(2, c);
  add(3, d);
  add(4, e);
  add(5, f);
  add(6, g);
  add(7, h);
}

function add(word: number, value: number): void {
  state[word] = ((state[word] ?? 0) + value) | 0;
}

function primes(count: number): number[] {
  const found: number[] = [];
  for (let number = 2; found.length < count; number++) {
    if (found.every((prime) => number % prime !== 0)) found.push(number);
  }
  return found;
}

function fractionBits(root: number): number {
  return ((root - Math.floor(root)) * 2 ** 32) | 0;
}
