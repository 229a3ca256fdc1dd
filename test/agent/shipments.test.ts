import { expect, onTestFinished, test } from "vitest";
import { openStore } from "../../agent/buffer/store.ts";
import { NO_SCOPE } from "../../agent/buffer/tables/scope.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { packEvents } from "./support/pack-events.ts";

const STREAM = "charge";

/** A store with twenty events of one stream, and ways to fix, settle and look. */
function setup() {
  const directory = tempDir("weir-shipments");
  let store = openStore({ directory: directory.path, bytesMax: 2 ** 30 });
  onTestFinished(() => {
    store.close();
    directory.remove();
  });
  store.run([
    {
      kind: "append",
      stream: STREAM,
      scope: NO_SCOPE,
      receivedAt: 1,
      events: packEvents(Array.from({ length: 20 }, (_, n) => String(n))),
      idempotency: null,
      strict: true,
    },
  ]);
  return {
    fix: (replaces: number | null, ...ranges: [first: number, count: number, attempted?: number][]) =>
      store.run([
        {
          kind: "fix",
          stream: STREAM,
          replaces,
          shipments: ranges.map(([first, count, attempted = 0]) => ({ first, count, key: `k${first}`, attempted })),
        },
      ]),
    mark: (first: number, attempted: number) => store.run([{ kind: "mark", stream: STREAM, first, attempted }]),
    settle: (first: number, count: number) =>
      store.run([{ kind: "settle", stream: STREAM, first, count, at: 2, quarantine: [] }]),
    fixed() {
      const [outcome] = store.run([{ kind: "fixed" }]).outcomes;
      return outcome.map(({ first, count, key, attempted }) => [first, count, key, attempted]);
    },
    reopen() {
      store.close();
      store = openStore({ directory: directory.path, bytesMax: 2 ** 30 });
    },
  };
}

test("fixed shipments and how far they were attempted outlive the process", () => {
  const buffer = setup();
  buffer.fix(null, [1, 5], [6, 5]);
  buffer.mark(6, 2);
  buffer.reopen();
  expect(buffer.fixed()).toEqual([
    [1, 5, "k1", 0],
    [6, 5, "k6", 2],
  ]);
});

test("what is settled leaves its shipment: from the front it shrinks and keeps its key, whole it goes", () => {
  const buffer = setup();
  buffer.fix(null, [1, 5, 4], [6, 5]);
  buffer.settle(1, 2);
  expect(buffer.fixed()).toEqual([
    [3, 3, "k1", 2],
    [6, 5, "k6", 0],
  ]);
  buffer.settle(3, 3);
  expect(buffer.fixed()).toEqual([[6, 5, "k6", 0]]);
  buffer.settle(6, 5);
  expect(buffer.fixed()).toEqual([]);
});

test("a shipment that was settled in its middle is no longer the call that was fixed", () => {
  const buffer = setup();
  buffer.fix(null, [1, 5], [6, 5]);
  buffer.settle(7, 1);
  expect(buffer.fixed()).toEqual([[1, 5, "k1", 0]]);
});

test("halves take the place of their whole, and a position is in one shipment only", () => {
  const buffer = setup();
  buffer.fix(null, [1, 10]);
  buffer.fix(1, [1, 5], [6, 5]);
  expect(buffer.fixed().map(([first, count]) => [first, count])).toEqual([
    [1, 5],
    [6, 5],
  ]);
  buffer.fix(null, [4, 4]);
  expect(buffer.fixed().map(([first, count]) => [first, count])).toEqual([[4, 4]]);
});
