/** Keys made without their ids are those of the ids. */
import { expect, it } from "vitest";
import { KINDS } from "../../shared/events/kind.ts";
import { eventId, type Identity } from "../../shared/identity.ts";
import { LedgerKeys, ledgerKey } from "../../worker/ledger/event-key.ts";

const TEXTS = ["1", "evt_0001", "a b", "é€😀", "x".repeat(55), "x".repeat(1021), "x".repeat(5000), "\u007f", "\u0080"];

const IDENTITIES: readonly Identity[] = [
  ...TEXTS.map((id) => ({ by: "id", id }) as const),
  ...TEXTS.map((key, index) => ({ by: "key", key, index }) as const),
  { by: "content", hash: "0123456789abcdef".repeat(4), number: 1 },
  { by: "content", hash: "0123456789abcdef".repeat(4), number: 12 },
  { by: "new", nonce: "6b0c2f4e-6d0a-4f0f-9d1c-2a1e7a54b8f3", index: 9_999 },
];

it("for whatever tenant, kind, stream, ids and identity, one after the other", () => {
  for (const kind of KINDS) {
    for (const tenant of ["t", "é", "x".repeat(200)]) {
      for (const sentIds of ["", '{"entity":"e1,e2"}', '{"org":"é"}']) {
        const stream = kind === "usage" ? "usage/métér" : kind;
        const keys = new LedgerKeys({ tenant, kind, stream }, sentIds);
        for (const identity of IDENTITIES) {
          expect(keys.of(identity)).toBe(ledgerKey(tenant, eventId(kind, stream, identity, sentIds)));
        }
      }
    }
  }
});
