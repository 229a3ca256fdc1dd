import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { type CrashPoint, type GroupResult, openStore, type Store } from "../../agent/buffer/store.ts";
import { NONE_KNOWN } from "../../agent/buffer/tables/known-events.ts";
import { NO_SCOPE } from "../../agent/buffer/tables/scope.ts";
import type { AppendInput } from "../../agent/buffer/transactions/append.ts";
import type { Operation } from "../../agent/buffer/transactions/operations.ts";
import { AgentError } from "../../agent/runtime/agent-error.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { invalidOf } from "./support/invalid-of.ts";
import { knownOf } from "./support/known-of.ts";
import { packEvents } from "./support/pack-events.ts";

function setup() {
  const { path, remove } = tempDir("weir-store");
  const directory = join(path, "buffer");
  const open: Store[] = [];
  onTestFinished(() => {
    for (const store of open) store.close();
    remove();
  });
  return {
    directory,
    open(options: { bytesMax?: number; at?: (point: CrashPoint) => void; tick?: () => number } = {}) {
      const store = openStore({ directory, bytesMax: 1e9, ...options });
      open.push(store);
      return store;
    },
    close(store: Store) {
      open.splice(open.indexOf(store), 1);
      store.close();
    },
  };
}

function appendOf(texts: readonly string[], more: Partial<AppendInput> = {}): Operation<"append"> {
  return {
    kind: "append",
    stream: "usage/m",
    scope: NO_SCOPE,
    receivedAt: 1000,
    events: packEvents(texts),
    idempotency: null,
    strict: true,
    ...more,
  };
}

const settleOf = (first: number, count: number, quarantined: readonly number[] = []): Operation => ({
  kind: "settle",
  stream: "usage/m",
  first,
  count,
  at: 2000,
  quarantine: quarantined.map((position) => ({ position, reason: { status: 400, message: "no" } })),
});

function readAll(store: Store, stream = "usage/m"): { first: number; texts: string[] }[] {
  const runs: { first: number; texts: string[] }[] = [];
  for (let from = 0; ; ) {
    const wanted = { from, until: Number.MAX_SAFE_INTEGER, bytesMax: 1e6, eventsMax: 1e4 };
    const [outcome] = store.run([{ kind: "read", stream, ...wanted }]).outcomes;
    if (outcome?.kind !== "run") return runs;
    const { first, events } = outcome.run;
    const texts = JSON.parse(`[${Buffer.from(events.body).toString("utf8")}]`) as string[];
    runs.push({ first, texts });
    from = first + events.ends.length;
  }
}

const json = (...texts: string[]) => texts.map((text) => JSON.stringify(text));
const firstPosition = ({ outcomes: [outcome] }: GroupResult<readonly [Operation<"append">]>) =>
  outcome.kind === "durable" ? outcome.firstPosition : null;

test("positions go on without a gap over restarts", () => {
  const { open, close } = setup();
  const before = open();
  expect(firstPosition(before.run([appendOf(json("a", "b"))]))).toBe(1);
  close(before);
  const after = open();
  expect(firstPosition(after.run([appendOf(json("c"))]))).toBe(3);
  expect(readAll(after)).toEqual([{ first: 1, texts: ["a", "b", "c"] }]);
});

test("each stream counts its own positions", () => {
  const store = setup().open();
  const result = store.run([appendOf(json("a")), appendOf(json("b"), { stream: "usage/other" })]);
  expect(result.outcomes).toEqual([
    { kind: "durable", firstPosition: 1, known: NONE_KNOWN },
    { kind: "durable", firstPosition: 1, known: NONE_KNOWN },
  ]);
});

test("a crash before the commit leaves nothing, one after it leaves all, and the ledger adds up either way", () => {
  for (const point of ["before-commit", "after-commit"] as const) {
    const { open, close } = setup();
    const crashed = open({
      at: (reached) => {
        if (reached === point) throw new Error("crash");
      },
    });
    expect(() => crashed.run([appendOf(json("a", "b"))])).toThrow("crash");
    close(crashed);
    const store = open();
    const survived = point === "after-commit" ? 2 : 0;
    expect(store.state.ledgers.map(({ accepted, pending }) => ({ accepted, pending }))).toEqual(
      survived === 0 ? [] : [{ accepted: 2, pending: 2 }],
    );
    expect(firstPosition(store.run([appendOf(json("c"))]))).toBe(survived + 1);
  }
});

test("settling the middle of a row leaves both ends pending, byte for byte", () => {
  const store = setup().open();
  store.run([appendOf(json("a", "b", "c", "d", "e"))]);
  const { ledgers } = store.run([settleOf(2, 3)]);
  expect(ledgers).toMatchObject([{ accepted: 5, delivered: 3, pending: 2, quarantined: 0 }]);
  expect(readAll(store)).toEqual([
    { first: 1, texts: ["a"] },
    { first: 5, texts: ["e"] },
  ]);
  expect(store.run([{ kind: "verify" }]).outcomes).toEqual([[]]);
});

test("settling twice counts once", () => {
  const store = setup().open();
  store.run([appendOf(json("a", "b", "c"))]);
  store.run([settleOf(1, 2)]);
  const { ledgers } = store.run([settleOf(1, 2)]);
  expect(ledgers).toMatchObject([{ delivered: 2, pending: 1 }]);
});

test("what is settled into quarantine keeps its bytes, its position and the reason", () => {
  const { open, close, directory } = setup();
  const store = open();
  store.run([appendOf(json("a", "b", "c"))]);
  expect(store.run([settleOf(1, 3, [2])]).ledgers).toMatchObject([{ delivered: 2, pending: 0, quarantined: 1 }]);
  close(store);
  const db = new DatabaseSync(join(directory, "buffer.db"));
  const rows = db.prepare("SELECT position, CAST(event AS TEXT) AS event, reason, state FROM quarantine").all();
  db.close();
  expect(rows.map((row) => ({ ...row }))).toEqual([
    { position: 2, event: '"b"', reason: '{"status":400,"message":"no"}', state: "held" },
  ]);
});

test("a invalid event of a lenient body takes a position and goes to quarantine at once", () => {
  const store = setup().open();
  const invalid = invalidOf([1], { status: 400, message: "no" });
  const { ledgers } = store.run([appendOf(json("a", "b", "c"), { invalid, strict: false })]);
  expect(ledgers).toMatchObject([{ accepted: 3, pending: 2, quarantined: 1, nextPosition: 4 }]);
  expect(readAll(store)).toEqual([
    { first: 1, texts: ["a"] },
    { first: 3, texts: ["c"] },
  ]);
});

test("a large body becomes several rows and comes back as it was", () => {
  const store = setup().open();
  const texts = Array.from({ length: 300 }, (_, i) => `${i}-${"x".repeat(4000)}`);
  store.run([appendOf(json(...texts))]);
  expect(readAll(store).flatMap(({ texts: read }) => read)).toEqual(texts);
});

test("a read stops at a hole in the positions, at another scope, and where it was told to", () => {
  const store = setup().open();
  store.run([appendOf(json("a", "b", "c")), appendOf(json("d"), { scope: { ...NO_SCOPE, entityIds: "e1" } })]);
  expect(readAll(store)).toEqual([
    { first: 1, texts: ["a", "b", "c"] },
    { first: 4, texts: ["d"] },
  ]);
  const [outcome] = store.run([
    { kind: "read", stream: "usage/m", from: 2, until: 3, bytesMax: 1e6, eventsMax: 10 },
  ]).outcomes;
  expect(outcome).toMatchObject({ kind: "run", run: { first: 2, scope: NO_SCOPE } });
  expect(outcome?.kind === "run" && Buffer.from(outcome.run.events.body).toString()).toBe('"b"');
});

test("a repeated key is known by content, other content under it is a conflict, more events are new", () => {
  const store = setup().open();
  const hashes = (...bytes: number[]) => Uint8Array.from(bytes.flatMap((byte) => Array(16).fill(byte)));
  const keyed = (texts: string[], ...bytes: number[]): Operation<"append"> =>
    appendOf(json(...texts), {
      idempotency: { key: "k", hashes: hashes(...bytes), ownIds: new Uint8Array(bytes.length) },
      strict: false,
    });
  store.run([keyed(["a", "b"], 1, 2)]);
  const [again] = store.run([keyed(["a", "b"], 1, 2)]).outcomes;
  expect(again).toMatchObject({ kind: "durable", firstPosition: 3 });
  expect(knownOf(again)).toEqual([
    { index: 0, position: 1, same: true, receivedAt: 1000 },
    { index: 1, position: 2, same: true, receivedAt: 1000 },
  ]);
  const { outcomes, ledgers } = store.run([keyed(["a", "x", "c"], 1, 9, 3)]);
  expect(outcomes[0]).toMatchObject({ firstPosition: 3 });
  expect(knownOf(outcomes[0])).toMatchObject([
    { index: 0, same: true },
    { index: 1, same: false },
  ]);
  expect(ledgers).toMatchObject([{ accepted: 3, pending: 3 }]);
  expect(store.run([keyed(["a", "b", "c"], 1, 2, 3)]).ledgers).toMatchObject([{ accepted: 3 }]);
  expect(store.run([{ ...keyed(["x"], 9), strict: true }]).outcomes[0]).toMatchObject({ kind: "refused" });
});

const HOUR = 3_600_000;
const DAY_KEPT: Operation = { kind: "tidy", retainMs: 24 * HOUR };
const keyedOf = (key: string) =>
  appendOf(json("a"), { idempotency: { key, hashes: new Uint8Array(16), ownIds: new Uint8Array(1) } });

test("what was delivered of a row can be sent again while others of it still wait", () => {
  const store = setup().open();
  store.run([appendOf(json("a", "b", "c", "d", "e"))]);
  store.run([settleOf(1, 2), settleOf(4, 1, [4])]);
  expect(store.run([{ kind: "resend", stream: "usage/m", first: 1, last: 4 }]).outcomes).toEqual([
    { kind: "resent", count: 2 },
  ]);
  // Both again under their own positions; what waits, and what is held back, stays as it is.
  expect(readAll(store)).toEqual([
    { first: 1, texts: ["a", "b", "c"] },
    { first: 5, texts: ["e"] },
  ]);
  store.run([settleOf(1, 5)]);
  expect(store.run([{ kind: "resend", stream: "usage/m", first: 1, last: 5 }, { kind: "verify" }]).outcomes).toEqual([
    { kind: "resent", count: 4 },
    [],
  ]);
});

test("keys and delivered batches are forgotten once they have been kept for long enough, no earlier", () => {
  let tick = 5;
  const store = setup().open({ tick: () => tick });
  store.run([keyedOf("k")]);
  store.run([settleOf(1, 1)]);
  tick += 24 * HOUR;
  store.run([DAY_KEPT, { kind: "resend", stream: "usage/m", first: 1, last: 1 }]);
  expect(store.run([keyedOf("k")]).ledgers).toMatchObject([{ accepted: 1, pending: 1 }]);
  store.run([settleOf(1, 1)]);
  tick += 1;
  store.run([DAY_KEPT]);
  expect(store.run([keyedOf("k")]).ledgers).toMatchObject([{ accepted: 2 }]);
  tick += 24 * HOUR;
  store.run([DAY_KEPT]);
  const resent = store.run([{ kind: "resend", stream: "usage/m", first: 1, last: 1 }]);
  expect(resent.outcomes).toEqual([{ kind: "resent", count: 0 }]);
});

test("ages go on over restarts, also after a run that ended before it could write down how long it was", () => {
  let tick = 0;
  const { open, close } = setup();
  const restart = (store: Store) => {
    close(store);
    // Another process counts from somewhere else.
    tick = 7;
    return open({ tick: () => tick });
  };
  let store = open({ tick: () => tick });
  store.run([keyedOf("first")]);
  tick += 20 * HOUR;
  store.run([DAY_KEPT]);
  store = restart(store);
  tick += 3 * HOUR;
  store.run([keyedOf("second")]);
  store = restart(store);
  // 23 hours and a little.
  store.run([DAY_KEPT]);
  expect(store.run([keyedOf("first")]).ledgers).toMatchObject([{ accepted: 2 }]);
  tick += 2 * HOUR;
  store.run([DAY_KEPT]);
  expect(store.run([keyedOf("first")]).ledgers).toMatchObject([{ accepted: 3 }]);
  expect(store.run([keyedOf("second")]).ledgers).toMatchObject([{ accepted: 3 }]);
});

test("keys forgotten a few hundred at a time are all forgotten in the end, none that is younger", () => {
  let tick = 0;
  const store = setup().open({ tick: () => tick });
  for (let n = 0; n < 1200; n++) store.run([keyedOf(`old-${n}`)]);
  tick += 24 * HOUR + 1;
  for (let n = 0; n < 10; n++) store.run([keyedOf(`young-${n}`)]);
  for (let n = 0; n < 4; n++) store.run([DAY_KEPT]);
  for (let n = 0; n < 10; n++) store.run([keyedOf(`young-${n}`)]);
  expect(store.run([keyedOf("old-0"), keyedOf("old-1199")]).ledgers).toMatchObject([{ accepted: 1212 }]);
});

test("at its bound the buffer refuses appends, still settles, and takes again once there is room", () => {
  const store = setup().open({ bytesMax: 700_000 });
  const body = json("x".repeat(200_000));
  let taken = 0;
  while (store.run([appendOf(body)]).outcomes[0]?.kind === "durable") taken++;
  expect(taken).toBeGreaterThan(0);
  expect(store.run([appendOf(body)]).outcomes).toEqual([{ kind: "full", bound: "buffer" }]);
  expect(store.run([settleOf(1, taken)]).ledgers).toMatchObject([{ delivered: taken, pending: 0 }]);
});

test("a second holder of the buffer is turned away", () => {
  const { open, directory } = setup();
  open();
  const code = faultCode(() => openStore({ directory, bytesMax: 1e9 }));
  expect(code).toBe("BUFFER_HELD");
});

test("a later version's buffer is left untouched", () => {
  const { open, close, directory } = setup();
  close(open());
  const db = new DatabaseSync(join(directory, "buffer.db"));
  db.exec("PRAGMA user_version = 99");
  db.close();
  expect(faultCode(() => openStore({ directory, bytesMax: 1e9 }))).toBe("BUFFER_NEWER");
});

test("only the agent's user can read the buffer", () => {
  const { open, directory } = setup();
  open().run([appendOf(json("a"))]);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  for (const file of ["buffer.db", "buffer.db-wal"]) {
    expect(statSync(join(directory, file)).mode & 0o777).toBe(0o600);
  }
});

function faultCode(open: () => unknown): string | null {
  try {
    open();
    return null;
  } catch (error) {
    return error instanceof AgentError ? error.code : String(error);
  }
}
