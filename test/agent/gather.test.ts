/** Appends that wait for one commit are gathered into a run: what each of them is promised stays its own. */
import { expect, onTestFinished, test } from "vitest";
import { type Engine, openInlineEngine, openThreadEngine } from "../../agent/buffer/engine.ts";
import { type Log, openLog } from "../../agent/buffer/log.ts";
import { BODY_HASH_BYTES } from "../../agent/buffer/tables/bodies.ts";
import { NO_SCOPE } from "../../agent/buffer/tables/scope.ts";
import type { AppendInput } from "../../agent/buffer/transactions/append.ts";
import type { Operation, OperationKind } from "../../agent/buffer/transactions/operations.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { invalidOf } from "./support/invalid-of.ts";
import { packEvents } from "./support/pack-events.ts";

const STREAM = "usage/m";

function bodyOf(texts: readonly string[], more: Partial<AppendInput> = {}): AppendInput {
  const events = packEvents(texts.map((text) => JSON.stringify(text)));
  return {
    stream: STREAM,
    scope: NO_SCOPE,
    receivedAt: 1000,
    events,
    idempotency: null,
    strict: true,
    ...more,
  };
}

const hashed = (text: string): AppendInput =>
  bodyOf([text], { bodyHash: new Uint8Array(BODY_HASH_BYTES).fill(text.charCodeAt(0)) });

async function open(engine: Engine): Promise<Log> {
  const opened = await openLog(engine, { id: "test", randomInt: () => 7 });
  if (opened.kind !== "open") throw new Error(`the buffer is ${opened.id}'s`);
  return opened.log;
}

/** A log of its own, and which operations its thread was asked for. */
async function setup(bytesMax = 1e9) {
  const directory = tempDir("weir-gather");
  const asked: Operation[] = [];
  const inner = openInlineEngine({ directory: directory.path, bytesMax });
  const log = await open({
    ...inner,
    run(group) {
      asked.push(...group);
      return inner.run(group);
    },
  });
  onTestFinished(async () => {
    await log.close();
    directory.remove();
  });
  return { log, asked, kinds: (): OperationKind[] => asked.splice(0).map(({ kind }) => kind) };
}

const appendAll = (log: Log, inputs: readonly AppendInput[]) => Promise.all(inputs.map((input) => log.append(input)));

async function textsOf(log: Log): Promise<string[]> {
  const read = await log.read({ stream: STREAM, from: 1, until: 1e9, bytesMax: 1e9, eventsMax: 1e6 });
  if (read.kind !== "run") return [];
  return JSON.parse(`[${Buffer.from(read.run.events.body).toString()}]`) as string[];
}

test("bodies that wait for one commit are one run and one row; each has positions of its own, in the order they came", async () => {
  const { log, kinds } = await setup();
  kinds();
  const outcomes = await appendAll(log, [bodyOf(["a"]), bodyOf(["b", "c"]), bodyOf(["d"])]);
  expect(kinds()).toEqual(["appendRun"]);
  expect(outcomes.map((outcome) => outcome.kind === "durable" && outcome.firstPosition)).toEqual([1, 2, 4]);
  expect(await textsOf(log)).toEqual(["a", "b", "c", "d"]);
  expect(log.stream(STREAM)).toMatchObject({ accepted: 4, pending: 4, nextPosition: 5 });
  expect(await log.verify()).toEqual([]);
});

test("a body that comes twice in one run is taken once, and one that was gathered is known when it comes again", async () => {
  const { log } = await setup();
  const outcomes = await appendAll(log, [hashed("a"), hashed("b"), hashed("a"), hashed("c")]);
  expect(outcomes.map((outcome) => [outcome.kind, "firstPosition" in outcome && outcome.firstPosition])).toEqual([
    ["durable", 1],
    ["durable", 2],
    ["repeated", 1],
    ["durable", 3],
  ]);
  expect(await appendAll(log, [hashed("d"), hashed("c"), hashed("b")])).toMatchObject([
    { kind: "durable", firstPosition: 4 },
    { kind: "repeated", firstPosition: 3 },
    { kind: "repeated", firstPosition: 2 },
  ]);
  expect(await log.append(hashed("a"))).toMatchObject({ kind: "repeated", firstPosition: 1 });
  expect(await textsOf(log)).toEqual(["a", "b", "c", "d"]);
});

test("what has a key, invalid events, other ids or another stream is no part of a run, and keeps its place", async () => {
  const { log, kinds } = await setup();
  kinds();
  const other = { ...NO_SCOPE, entityIds: "e" };
  const outcomes = await appendAll(log, [
    bodyOf(["a"]),
    bodyOf(["b"], { invalid: invalidOf([0], { status: 400, message: "bad" }), strict: false }),
    bodyOf(["c"]),
    bodyOf(["x"], { stream: "usage/n" }),
    bodyOf(["d"]),
    bodyOf(["e"], { scope: other }),
    bodyOf(["f"], { scope: { ...other } }),
    bodyOf(["g"], { receivedAt: 9000, scope: other }),
  ]);
  expect(kinds()).toEqual(["append", "append", "appendRun", "append", "appendRun", "append"]);
  const positions = outcomes.map((outcome) => outcome.kind === "durable" && outcome.firstPosition);
  expect(positions).toEqual([1, 2, 3, 1, 4, 5, 6, 7]);
});

test("where there is not room for all of a run, those that fit are taken, and each is told its own", async () => {
  const { log } = await setup(1024 * 1024);
  const taken: string[] = [];
  let refused = 0;
  for (let round = 0; refused === 0; round++) {
    const texts = ["a", "b", "c", "d"].map((name) => `${name}${round}`.padEnd(40_000, "x"));
    const outcomes = await appendAll(
      log,
      texts.map((text) => bodyOf([text])),
    );
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.kind === "durable") taken.push(texts[index] ?? "");
      else expect(outcome).toEqual({ kind: "full", bound: "buffer" });
      if (outcome.kind === "full") refused++;
    }
  }
  expect(taken.length).toBeGreaterThan(3);
  expect(await textsOf(log)).toEqual(taken);
  expect(log.stream(STREAM)?.accepted).toBe(taken.length);
});

test("no answer of a run leaves before its commit: while that is held nobody is told", async () => {
  const directory = tempDir("weir-gather");
  onTestFinished(directory.remove);
  const inner = await openThreadEngine({ directory: directory.path, bytesMax: 1e9 });
  const gate = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const log = await open({
    ...inner,
    async run(group) {
      if (group.some(({ kind }) => kind === "appendRun")) {
        asked.resolve();
        await gate.promise;
      }
      return inner.run(group);
    },
  });
  let told = 0;
  const appended = [hashed("a"), hashed("b"), hashed("a")].map((body) => log.append(body).then(() => told++));
  await asked.promise;
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(told).toBe(0);
  expect(log.ledger().accepted).toBe(0);
  gate.resolve();
  await Promise.all(appended);
  expect(told).toBe(3);
  expect(log.ledger().accepted).toBe(2);
  await log.close();
});
