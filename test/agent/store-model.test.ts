import fc from "fast-check";
import { expect, test } from "vitest";
import { openStore, type Store } from "../../agent/buffer/store.ts";
import { NO_SCOPE } from "../../agent/buffer/tables/scope.ts";
import type { Operation } from "../../agent/buffer/transactions/operations.ts";
import { FAST_PARENT, tempDir } from "../../tools/processes/temp-dir.ts";
import { invalidOf } from "./support/invalid-of.ts";
import { packEvents } from "./support/pack-events.ts";

/** The log as it should be: an array of pending texts by position, and four counts. */
interface Model {
  pending: Map<number, string>;
  next: number;
  delivered: number;
  quarantined: number;
}

type Step =
  | { readonly do: "append"; readonly texts: string[]; readonly invalid: number[]; readonly crash: boolean }
  | {
      readonly do: "settle";
      readonly first: number;
      readonly count: number;
      readonly rejected: number;
      readonly crash: boolean;
    }
  | { readonly do: "reopen" };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({
      do: fc.constant("append" as const),
      texts: fc.array(fc.string({ unit: "grapheme", maxLength: 12 }), { minLength: 1, maxLength: 8 }),
      invalid: fc.uniqueArray(fc.nat(7), { maxLength: 3 }),
      crash: fc.boolean(),
    }),
    fc.record({
      do: fc.constant("settle" as const),
      first: fc.integer({ min: 1, max: 40 }),
      count: fc.integer({ min: 1, max: 12 }),
      rejected: fc.nat(14),
      crash: fc.boolean(),
    }),
    fc.record({ do: fc.constant("reopen" as const) }),
  ),
  { maxLength: 25 },
);

const REASON = { status: 400, message: "no" };

test("whatever is appended, settled, crashed and reopened, the log holds what an array in memory would", () => {
  fc.assert(
    fc.property(steps, (script) => {
      const { path, remove } = tempDir("weir-model", FAST_PARENT);
      let crashing = false;
      const open = () =>
        openStore({
          directory: path,
          bytesMax: 1e9,
          at: (point) => {
            if (crashing && point === "before-commit") throw new Error("crash");
          },
        });
      let store = open();
      const model: Model = { pending: new Map(), next: 1, delivered: 0, quarantined: 0 };
      try {
        for (const step of script) {
          crashing = step.do !== "reopen" && step.crash;
          if (step.do !== "reopen") attempt(store, operationOf(step), crashing);
          if (!crashing && step.do !== "reopen") apply(model, step);
          if (crashing || step.do === "reopen") {
            store.close();
            store = open();
          }
          crashing = false;
          compare(store, model);
        }
      } finally {
        store.close();
        remove();
      }
    }),
    { numRuns: 60 },
  );
});

function attempt(store: Store, operation: Operation, crashing: boolean): void {
  if (crashing) expect(() => store.run([operation])).toThrow("crash");
  else store.run([operation]);
}

function operationOf(step: Exclude<Step, { do: "reopen" }>): Operation {
  if (step.do === "settle") {
    const { first, count, rejected } = step;
    const quarantine = rejected < count ? [{ position: first + rejected, reason: REASON }] : [];
    return { kind: "settle", stream: "usage/m", first, count, at: 1, quarantine };
  }
  return {
    kind: "append",
    stream: "usage/m",
    scope: NO_SCOPE,
    receivedAt: 1,
    events: packEvents(step.texts.map((text) => JSON.stringify(text))),
    invalid: invalidOf(
      step.invalid.filter((index) => index < step.texts.length),
      REASON,
    ),
    idempotency: null,
    strict: false,
  };
}

function apply(model: Model, step: Exclude<Step, { do: "reopen" }>): void {
  if (step.do === "append") {
    for (const [index, text] of step.texts.entries()) {
      if (step.invalid.includes(index)) model.quarantined++;
      else model.pending.set(model.next, text);
      model.next++;
    }
    return;
  }
  for (let offset = 0; offset < step.count; offset++) {
    if (!model.pending.delete(step.first + offset)) continue;
    if (offset === step.rejected) model.quarantined++;
    else model.delivered++;
  }
}

function compare(store: Store, model: Model): void {
  const found = new Map<number, string>();
  for (let from = 0; ; ) {
    const wanted = { from, until: Number.MAX_SAFE_INTEGER, bytesMax: 30, eventsMax: 5 };
    const [outcome] = store.run([{ kind: "read", stream: "usage/m", ...wanted }]).outcomes;
    if (outcome?.kind !== "run") break;
    const { first, events } = outcome.run;
    const texts = JSON.parse(`[${Buffer.from(events.body).toString("utf8")}]`) as string[];
    for (const [index, text] of texts.entries()) found.set(first + index, text);
    from = first + texts.length;
  }
  expect(found).toEqual(model.pending);
  expect(store.run([{ kind: "verify" }]).outcomes).toEqual([[]]);
  const { ledgers } = store.run([
    { kind: "settle", stream: "usage/m", first: 1_000_000, count: 1, at: 1, quarantine: [] },
  ]);
  if (model.next === 1) return;
  const { delivered, quarantined } = model;
  expect(ledgers).toMatchObject([
    { accepted: model.next - 1, delivered, quarantined, pending: model.pending.size, nextPosition: model.next },
  ]);
}
