/** What may happen to an agent, drawn at random; fast-check shrinks a history that fails to its shortest form. */
import fc from "fast-check";
import type { Treatment } from "./edge-model.ts";
import { type EventKind, KINDS } from "./event-text.ts";

/** The process dies at the `nth` such moment of a step, counted from 0, if there are so many. */
export interface Death {
  readonly point: "before-commit" | "after-commit" | "before-give-back";
  readonly nth: number;
}

export interface DrawnRequest {
  readonly meter: "a" | "b";
  readonly entity: string | null;
  readonly lenient: boolean;
  /** Null: events that no other is like. Else a repeat of what the key brought, `changed` but for one of them. */
  readonly key: { readonly name: number; readonly changed: number | null } | null;
  readonly kinds: readonly EventKind[];
  /** The body that was posted so many before it, without a key, once more: byte for byte, for the same entity or another. */
  readonly repeats: number | null;
}

export type Step =
  | { readonly do: "append"; readonly requests: readonly DrawnRequest[]; readonly dies: Death | null }
  /** Lets as many calls be answered, one after the other. */
  | { readonly do: "send"; readonly treatments: readonly Treatment[]; readonly dies: Death | null }
  | { readonly do: "wait"; readonly ms: number; readonly dies: Death | null }
  /** Longer than anything is retained. */
  | { readonly do: "wait a day" }
  | { readonly do: "retry"; readonly nth: number; readonly corrected: EventKind | null; readonly dies: Death | null }
  | { readonly do: "discard"; readonly nth: number; readonly dies: Death | null }
  /** The destination loses every `nth` position it had; an audit has to find it. */
  | { readonly do: "lose"; readonly nth: number }
  /** `everything`: not only what is missing is sent again, as far as it was delivered. */
  | { readonly do: "audit and repair"; readonly everything: boolean; readonly dies: Death | null }
  | { readonly do: "hangup signal" }
  | { readonly do: "restart"; readonly dies: "opened" | "before-close" | null }
  /** `taken`: the destination still takes the calls that are under way. */
  | { readonly do: "kill"; readonly taken: boolean }
  | { readonly do: "fill the disk"; readonly leave: number }
  | { readonly do: "empty the disk" }
  | { readonly do: "the destination relents" };

export interface History {
  readonly concurrency: number;
  readonly batchEvents: number;
  readonly steps: readonly Step[];
}

const HALF_OF_THEM = fc.boolean();

/** One time in four. */
function seldom<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });
}

const dies: fc.Arbitrary<Death | null> = seldom(
  fc.record({
    point: fc.constantFrom("before-commit", "after-commit", "before-give-back"),
    nth: fc.nat(2),
  }),
);

const kind: fc.Arbitrary<EventKind> = fc.oneof(
  { weight: 3, arbitrary: fc.constant("good") },
  { weight: 2, arbitrary: fc.constantFrom(...KINDS) },
);

const request: fc.Arbitrary<DrawnRequest> = fc.record({
  meter: fc.constantFrom("a", "b"),
  entity: fc.constantFrom(null, null, "e1"),
  lenient: HALF_OF_THEM,
  key: fc.option(fc.record({ name: fc.constantFrom(0, 0, 0, 1), changed: seldom(fc.nat(2)) }), { freq: 2 }),
  kinds: fc.array(kind, { minLength: 1, maxLength: 6 }),
  repeats: fc.option(fc.nat(3), { freq: 2 }),
});

const FALSE_SUCCESSES = ['{"success":true,"accepted":1000}', "<html>a proxy's page</html>", "{}"];

const treatment: fc.Arbitrary<Treatment> = fc.oneof(
  { weight: 5, arbitrary: fc.constant({ kind: "as-due" } as const) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("no-response" as const),
      reason: fc.constantFrom("network" as const, "timeout" as const),
      taken: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("status" as const),
      status: fc.constantFrom(401, 403, 404, 408, 429, 500, 503),
      retryAfterS: fc.constantFrom(null, 1, 30),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("false-success" as const),
      body: fc.constantFrom(...FALSE_SUCCESSES),
      taken: fc.boolean(),
    }),
  },
);

const common: fc.Arbitrary<Step>[] = [
  fc.record({ do: fc.constant("append" as const), requests: fc.array(request, { minLength: 1, maxLength: 3 }), dies }),
  fc.record({
    do: fc.constant("send" as const),
    treatments: fc.array(treatment, { minLength: 1, maxLength: 6 }),
    dies,
  }),
  fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(60, 1_100, 61_000), dies }),
];

const rare: fc.Arbitrary<Step>[] = [
  fc.record({
    do: fc.constant("retry" as const),
    nth: fc.nat(4),
    corrected: fc.constantFrom(null, "good" as const, "huge" as const, "invalid" as const),
    dies,
  }),
  fc.record({ do: fc.constant("discard" as const), nth: fc.nat(4), dies }),
  fc.record({
    do: fc.constant("restart" as const),
    dies: fc.constantFrom(null, "opened" as const, "before-close" as const),
  }),
  fc.record({ do: fc.constant("kill" as const), taken: fc.boolean() }),
  fc.record({ do: fc.constant("lose" as const), nth: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ do: fc.constant("audit and repair" as const), everything: fc.boolean(), dies }),
  fc.constant<Step>({ do: "wait a day" }),
  fc.constant<Step>({ do: "hangup signal" }),
  fc.constant<Step>({ do: "the destination relents" }),
];

const ofTheDisk: fc.Arbitrary<Step>[] = [
  fc.record({ do: fc.constant("fill the disk" as const), leave: fc.constantFrom(0, 0, 8_192, 65_536) }),
  fc.constant<Step>({ do: "empty the disk" }),
];

/** @param withDisk whether there is a disk that can be filled. */
export function histories(withDisk: boolean): fc.Arbitrary<History> {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.oneof(...common) },
    { weight: 5, arbitrary: fc.oneof(...rare, ...(withDisk ? ofTheDisk : [])) },
  );
  return fc.record({
    concurrency: fc.integer({ min: 1, max: 3 }),
    batchEvents: fc.integer({ min: 1, max: 9 }),
    steps: fc.array(step, { minLength: 1, maxLength: 13, size: "max" }),
  });
}
