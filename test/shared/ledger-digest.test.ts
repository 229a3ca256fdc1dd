/** The digest of a ledger, held against its description in big integers. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DigestSum, digestHex, EMPTY_DIGEST, type LedgerDigest } from "../../shared/ledger-digest.ts";
import { DIGEST_VECTORS, digestByTheBook, type TakenEvent } from "../support/ledger-digest.ts";

const UTF8 = new TextEncoder();

function digestOf(events: readonly TakenEvent[]): LedgerDigest {
  const sum = new DigestSum();
  for (const [position, event] of events) {
    const bytes = UTF8.encode(`, ${event},`);
    sum.addEvent(position, bytes, 2, bytes.length - 1);
  }
  return sum.value;
}

const anyEvent: fc.Arbitrary<TakenEvent> = fc.tuple(
  fc.oneof(fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1), fc.maxSafeNat()),
  fc.string({ unit: "grapheme", maxLength: 40 }),
);

describe("a ledger's digest", () => {
  test.each(DIGEST_VECTORS)("stays what it was when it was first shown: $expected", ({ events, expected }) => {
    expect(digestHex(digestOf(events))).toBe(expected);
    expect(digestByTheBook(events)).toBe(expected);
  });

  test("is the sum that its description says, for any positions and bytes, in any order and any parts", () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 20 }), fc.nat(20), (events, cut) => {
        const expected = digestByTheBook(events);
        expect(digestHex(digestOf(events))).toBe(expected);
        expect(digestHex(digestOf(events.toReversed()))).toBe(expected);
        const parts = new DigestSum();
        parts.add(digestOf(events.slice(cut)));
        parts.add(digestOf(events.slice(0, cut)));
        expect(parts.value).toEqual(digestOf(events));
        parts.subtract(digestOf(events.slice(0, cut)));
        expect(parts.value).toEqual(digestOf(events.slice(cut)));
        parts.subtract(digestOf(events.slice(cut)));
        expect(parts.value).toEqual(EMPTY_DIGEST);
      }),
      { seed: 13, numRuns: 1000 },
    );
  });

  test("differs for any other byte, length or position, and where two events changed places", () => {
    const event = '{"CustomerId":"cus_1","Quantity":10}';
    const others: TakenEvent[] = [0, 6, 8, 7 + 2 ** 32, 7 * 2 ** 32, 2 ** 53 - 1].map((position) => [position, event]);
    for (let at = 0; at < event.length; at++) {
      for (const other of "~ \u0000") others.push([7, event.slice(0, at) + other + event.slice(at + 1)]);
      others.push([7, event.slice(0, at)], [7, `${event}${"\u0000".repeat(at + 1)}`]);
    }
    const found = new Set(others.map((other) => digestHex(digestOf([other]))));
    expect(found.size).toBe(others.length);
    expect(found).not.toContain(digestHex(digestOf([[7, event]])));
    const placed: TakenEvent[][] = [
      [
        [1, "{}"],
        [2, "[]"],
      ],
      [
        [1, "[]"],
        [2, "{}"],
      ],
    ];
    expect(new Set(placed.map((events) => digestHex(digestOf(events)))).size).toBe(2);
  });

  test("of events without a position is the sum of the first 64 bits of their identities, modulo 2^64", () => {
    const identities = ["ffffffffffffffff0123", "0000000000000002ffff", "00000001ffffffffabcd"];
    const sum = new DigestSum();
    for (const hex of identities) sum.addIdentity(hex);
    const expected = identities.reduce((total, hex) => total + BigInt(`0x${hex.slice(0, 16)}`), 0n) % 2n ** 64n;
    expect(digestHex(sum.value)).toBe(expected.toString(16).padStart(16, "0"));
    expect(sum.value.count).toBe(3);
  });
});
