/** The digest that the agent's log says an edge must have, as it holds more or less of what the log took. */
import { expect, onTestFinished, test } from "vitest";
import { openStore, type Store } from "../../agent/buffer/store.ts";
import { NO_SCOPE } from "../../agent/buffer/tables/scope.ts";
import type { AppendInput } from "../../agent/buffer/transactions/append.ts";
import type { Operation } from "../../agent/buffer/transactions/operations.ts";
import type { PositionRange } from "../../agent/buffer/transactions/positions.ts";
import { digestHex } from "../../shared/ledger-digest.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { DIGEST_VECTORS, digestByTheBook } from "../support/ledger-digest.ts";
import { invalidOf } from "./support/invalid-of.ts";
import { packEvents } from "./support/pack-events.ts";

const STREAM = "usage/m";

function openLog(): Store {
  const { path, remove } = tempDir("weir-digest");
  const store = openStore({ directory: path, bytesMax: 1e9 });
  onTestFinished(() => {
    store.close();
    remove();
  });
  return store;
}

function take(store: Store, texts: readonly string[], more: Partial<AppendInput> = {}): void {
  const events = packEvents(texts);
  const append: Operation<"append"> = {
    ...{ kind: "append", stream: STREAM, scope: NO_SCOPE, receivedAt: 1000, events, idempotency: null, strict: false },
    ...more,
  };
  store.run([append]);
}

/** What an edge with these positions must have; null where that is not known. */
function dueFor(store: Store, ...taken: PositionRange[]): string | null {
  const [outcome] = store.run([{ kind: "digest", stream: STREAM, taken }]).outcomes;
  const { digest } = outcome as { digest: { high: number; low: number } | null };
  return digest === null ? null : digestHex(digest);
}

const FIRST_VECTORS = DIGEST_VECTORS.filter(
  ({ events }) => events.length > 0 && events.every(([position], i) => position === i + 1),
);

test.each(FIRST_VECTORS)("the log of an agent has the digest of the same events anywhere: $expected", (vector) => {
  const store = openLog();
  for (const [, event] of vector.events) take(store, [event]);
  expect(dueFor(store, [1, vector.events.length])).toBe(vector.expected);
});

test("what the edge does not hold is left out, waiting or in quarantine, and a corrected event counts as it was sent", () => {
  const store = openLog();
  const texts = ["{}", '{"a":1}', '{"a":2}', '{"a":3}', '{"a":4}', '{"a":5}'];
  take(store, texts, { invalid: invalidOf([2], { status: 400, message: "no" }) });
  take(store, ['{"a":6}', '{"a":7}']);
  const book = (...positions: number[]) =>
    digestByTheBook(
      [...texts, '{"a":6}', '{"a":7}']
        .map((text, i) => [i + 1, text] as const)
        .filter(([at]) => positions.includes(at)),
    );
  const settle = { stream: STREAM, at: 2000, quarantine: [] };
  expect(dueFor(store)).toBe(book());
  expect(dueFor(store, [1, 2], [5, 7])).toBe(book(1, 2, 5, 6, 7));
  store.run([{ kind: "settle", ...settle, first: 1, count: 2 }]);
  store.run([{ kind: "settle", ...settle, first: 4, count: 4 }]);
  // Delivered and not there: as long as it is kept, that can be said as well.
  expect(dueFor(store, [1, 1], [4, 7])).toBe(book(1, 4, 5, 6, 7));
  expect(dueFor(store, [1, 2], [4, 8])).toBe(book(1, 2, 4, 5, 6, 7, 8));
  const corrected = new TextEncoder().encode('{"a":2.0}');
  store.run([{ kind: "retry", id: 1, event: corrected, scope: null }]);
  expect(dueFor(store, [1, 2], [4, 8])).toBe(book(1, 2, 4, 5, 6, 7, 8));
  store.run([{ kind: "settle", ...settle, first: 3, count: 1 }]);
  const sent = ["{}", '{"a":1}', '{"a":2.0}', ...texts.slice(3)].map((text, i) => [i + 1, text] as const);
  expect(dueFor(store, [1, 6])).toBe(digestByTheBook(sent));
});

test("nothing is said where the edge holds what was never given, or where the bytes are gone", () => {
  const store = openLog();
  take(store, ["{}", "{}", "{}"]);
  expect(dueFor(store, [1, 4])).toBeNull();
  store.run([{ kind: "settle", stream: STREAM, first: 1, count: 3, at: 2000, quarantine: [] }]);
  expect(dueFor(store, [1, 2])).toBe(
    digestByTheBook([
      [1, "{}"],
      [2, "{}"],
    ]),
  );
  store.run([{ kind: "tidy", retainMs: -1 }]);
  expect(dueFor(store, [1, 2])).toBeNull();
  expect(dueFor(store, [1, 3])).toBe(
    digestByTheBook([
      [1, "{}"],
      [2, "{}"],
      [3, "{}"],
    ]),
  );
});
