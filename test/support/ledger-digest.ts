/** A ledger's digest by its description alone, in big integers, with vectors that agent and edge must both give. */

export type TakenEvent = readonly [position: number, event: string];

const WORD = 2n ** 32n;

/** Hex, 16 digits. */
export function digestByTheBook(events: Iterable<TakenEvent>): string {
  let sum = 0n;
  for (const [position, event] of events) sum += numberOf(BigInt(position), new TextEncoder().encode(event));
  return (sum % 2n ** 64n).toString(16).padStart(16, "0");
}

function numberOf(position: bigint, bytes: Uint8Array): bigint {
  const words = [position % WORD, position / WORD];
  for (let at = 0; at < bytes.length - (bytes.length % 4); at += 4) words.push(wordOf(bytes.subarray(at, at + 4)));
  words.push(wordOf(bytes.subarray(bytes.length - (bytes.length % 4))));
  let a = 0x9e3779b1n;
  let b = 0x85ebca6bn;
  for (const word of words) {
    a = rotate((0x9e3779b1n * (a ^ word)) % WORD, 13n);
    b = rotate((0xc2b2ae35n * ((b + word) % WORD)) % WORD, 17n);
  }
  const length = BigInt(bytes.length);
  return fmix32(a ^ length) * WORD + fmix32(b ^ length);
}

function wordOf(bytes: Uint8Array): bigint {
  return bytes.reduceRight((word, byte) => word * 256n + BigInt(byte), 0n);
}

function rotate(word: bigint, bits: bigint): bigint {
  return ((word << bits) % WORD) | (word >> (32n - bits));
}

function fmix32(lane: bigint): bigint {
  let word = lane ^ (lane >> 16n);
  word = (word * 0x85ebca6bn) % WORD;
  word ^= word >> 13n;
  word = (word * 0xc2b2ae35n) % WORD;
  return word ^ (word >> 16n);
}

/** What was first shown. */
export const DIGEST_VECTORS: readonly { readonly events: readonly TakenEvent[]; readonly expected: string }[] = [
  { events: [], expected: "0000000000000000" },
  { events: [[1, "{}"]], expected: "640af7448756c581" },
  { events: [[1, '{"a":1}']], expected: "07c30f6abea9eae9" },
  { events: [[2 ** 32, ""]], expected: "815e099953adcf35" },
  { events: [[2 ** 53 - 1, '{"a":"é€😀"}']], expected: "f9f5d37438204153" },
  {
    events: [
      [1, '{"a":1}'],
      [2, '{"a":2}'],
      [3, '{"a":1}'],
    ],
    expected: "2473eccc2119a706",
  },
];
