import { expect, onTestFinished, test } from "vitest";
import { type Engine, openInlineEngine, openThreadEngine } from "../../agent/buffer/engine.ts";
import { type Log, openLog } from "../../agent/buffer/log.ts";
import { NO_SCOPE } from "../../agent/buffer/tables/scope.ts";
import { APPENDING } from "../../agent/buffer/transactions/operations.ts";
import { AgentError } from "../../agent/runtime/agent-error.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { packEvents } from "./support/pack-events.ts";

const append = (log: Log, text: string) =>
  log.append({
    stream: "usage/m",
    scope: NO_SCOPE,
    receivedAt: 1000,
    events: packEvents([JSON.stringify(text)]),
    idempotency: null,
    strict: true,
  });

async function open(engine: Engine, id: string | null = "test"): Promise<Log> {
  const opened = await openLog(engine, { id, randomInt: () => 7 });
  if (opened.kind !== "open") throw new Error(`the buffer is ${opened.id}'s`);
  return opened.log;
}

function directory(): string {
  const { path, remove } = tempDir("weir-log");
  onTestFinished(remove);
  return path;
}

const BYTES_MAX = 1e9;

test("many appends at once share few commits, and each gets a position of its own", async () => {
  const log = await open(await openThreadEngine({ directory: directory(), bytesMax: BYTES_MAX }));
  onTestFinished(() => log.close());
  const outcomes = await Promise.all(Array.from({ length: 400 }, (_, i) => append(log, `${i}`)));
  expect(log.commits).toBeLessThan(20);
  const positions = outcomes.map((outcome) => (outcome.kind === "durable" ? outcome.firstPosition : 0));
  expect(positions).toEqual(Array.from({ length: 400 }, (_, i) => i + 1));
});

test("an append is not answered before its commit returned", async () => {
  const inner = openInlineEngine({ directory: directory(), bytesMax: BYTES_MAX });
  const gate = Promise.withResolvers<void>();
  const asked: string[] = [];
  const log = await open({
    ...inner,
    async run(group) {
      asked.push(...group.map((operation) => operation.kind));
      if (group.some((operation) => operation.kind === "append")) await gate.promise;
      return inner.run(group);
    },
  });
  onTestFinished(() => log.close());
  let answered = false;
  const appended = append(log, "a").then(() => {
    answered = true;
  });
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  expect(asked).toContain("append");
  expect(answered).toBe(false);
  expect(log.ledger().accepted).toBe(0);
  gate.resolve();
  await appended;
  expect(log.ledger().accepted).toBe(1);
});

test("a writer that fails fails the appends it had in hand, none of them is called durable", async () => {
  const inner = openInlineEngine({ directory: directory(), bytesMax: BYTES_MAX });
  const log = await open({
    ...inner,
    run: (group) =>
      group.some(({ kind }) => APPENDING.has(kind)) ? Promise.reject(new Error("torn")) : inner.run(group),
  });
  onTestFinished(() => log.close());
  const outcomes = await Promise.allSettled([append(log, "a"), append(log, "b")]);
  expect(outcomes.map((outcome) => outcome.status)).toEqual(["rejected", "rejected"]);
  expect(log.ledger().accepted).toBe(0);
});

test("the name on the wire is made with the buffer and outlives restarts", async () => {
  const path = directory();
  const first = await open(openInlineEngine({ directory: path, bytesMax: BYTES_MAX }), null);
  await append(first, "a");
  expect(first.producer).toMatch(/^agent-[A-Za-z0-9]{8}\.[A-Za-z0-9]{8}$/);
  await first.close();
  const second = await open(openInlineEngine({ directory: path, bytesMax: BYTES_MAX }), null);
  expect(second.producer).toBe(first.producer);
  await second.close();
});

test("a buffer that has accepted events keeps its producer's name", async () => {
  const path = directory();
  const first = await open(openInlineEngine({ directory: path, bytesMax: BYTES_MAX }), "one");
  await first.close();
  const renamed = await open(openInlineEngine({ directory: path, bytesMax: BYTES_MAX }), "two");
  expect(renamed.producer).toMatch(/^two\./);
  await append(renamed, "a");
  await renamed.close();
  const engine = openInlineEngine({ directory: path, bytesMax: BYTES_MAX });
  expect(await openLog(engine, { id: "three", randomInt: () => 0 })).toEqual({ kind: "other-id", id: "two" });
  await engine.close();
});

test("the thread says why a buffer cannot be opened", async () => {
  const path = directory();
  const holder = openInlineEngine({ directory: path, bytesMax: BYTES_MAX });
  onTestFinished(() => holder.close());
  const refused = await openThreadEngine({ directory: path, bytesMax: BYTES_MAX }).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(AgentError);
  expect(refused).toMatchObject({ code: "BUFFER_HELD" });
});
