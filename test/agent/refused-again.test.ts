/** An event that is refused again after its retry has one entry in quarantine, which says how often and why last. */
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openStore } from "../../agent/buffer/store.ts";
import { NO_SCOPE, scopeText } from "../../agent/buffer/tables/scope.ts";
import { connectControl } from "../../agent/control/client.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { until } from "../../tools/processes/until.ts";
import { packEvents } from "./support/pack-events.ts";
import { eventNumber, setup } from "./support/setup.ts";

const STREAM = "usage/m";

function openLog() {
  const { path, remove } = tempDir("weir-refused-again");
  const directory = join(path, "buffer");
  let store = openStore({ directory, bytesMax: 64e6 });
  onTestFinished(() => {
    store.close();
    remove();
  });
  return {
    append(...texts: string[]) {
      const append = { stream: STREAM, scope: NO_SCOPE, receivedAt: 1000, events: packEvents(texts) };
      store.run([{ kind: "append", ...append, idempotency: null, strict: true }]);
    },
    refuse(position: number, message: string, at: number) {
      const quarantine = [{ position, reason: { status: 422, message } }];
      store.run([{ kind: "settle", stream: STREAM, first: position, count: 1, at, quarantine }]);
    },
    deliver: (position: number) =>
      store.run([{ kind: "settle", stream: STREAM, first: position, count: 1, at: 9000, quarantine: [] }]),
    retry: (id: number, text: string | null = null) =>
      store.run([{ kind: "retry", id, event: text === null ? null : Buffer.from(text), scope: null }]).outcomes[0],
    withdraw: (at: number) =>
      store.run([
        {
          ...{ kind: "withdraw", stream: STREAM, scope: scopeText(NO_SCOPE), from: 1, inFlight: [], at },
          reason: { status: 403, message: "not here" },
        },
      ]),
    resend: () => store.run([{ kind: "resend", stream: STREAM, first: 1, last: 9 }]).outcomes[0],
    entries: () =>
      store.run([{ kind: "quarantined", state: null, after: 0, limit: 99 }]).outcomes[0].map((entry) => ({
        ...{ id: entry.id, position: entry.position, state: entry.state, at: entry.at },
        ...{ text: Buffer.from(entry.event).toString(), message: entry.reason.message },
        ...{ attempts: entry.attempts, earlierReasons: entry.earlierReasons },
        original: entry.original === null ? null : Buffer.from(entry.original).toString(),
      })),
    damage: () => store.run([{ kind: "verify" }]).outcomes[0],
    counts: () => store.state.ledgers,
    reopen() {
      store.close();
      store = openStore({ directory, bytesMax: 64e6 });
    },
  };
}

test("each retry that is refused again leaves the same entry held, with the newest reason and time and the count of earlier ones", () => {
  const log = openLog();
  log.append('{"n":1}', '{"n":2}');
  log.refuse(2, "first", 2000);
  const entry = { id: 1, position: 2, state: "held", text: '{"n":2}', original: null };
  expect(log.entries()).toEqual([{ ...entry, message: "first", at: 2000, attempts: 0, earlierReasons: 0 }]);
  for (const [number, message] of ["second", "third"].entries()) {
    expect(log.retry(1)).toMatchObject({ kind: "released" });
    expect(log.entries()).toMatchObject([{ id: 1, state: "retried", attempts: number + 1 }]);
    log.refuse(2, message, 3000 + number);
  }
  log.reopen();
  expect(log.entries()).toEqual([{ ...entry, message: "third", at: 3001, attempts: 2, earlierReasons: 2 }]);
  expect(log.counts()).toMatchObject([{ accepted: 2, pending: 1, quarantined: 1, delivered: 0 }]);
  expect(log.damage()).toEqual([]);
});

test("what was corrected and refused again shows what was sent last, beside what came; the next retry sends that", () => {
  const log = openLog();
  log.append('{"n":1}');
  log.refuse(1, "wrong", 2000);
  log.retry(1, '{"n":10}');
  log.refuse(1, "wrong still", 3000);
  const entry = { id: 1, text: '{"n":10}', original: '{"n":1}', message: "wrong still", attempts: 1 };
  expect(log.entries()).toMatchObject([entry]);
  log.retry(1);
  log.deliver(1);
  expect(log.entries()).toMatchObject([{ ...entry, state: "retried", attempts: 2 }]);
});

test("a retried event that is withdrawn while it waits is held in its entry", () => {
  const log = openLog();
  log.append('{"n":1}');
  log.refuse(1, "wrong", 2000);
  log.retry(1);
  log.withdraw(3000);
  expect(log.entries()).toMatchObject([
    { id: 1, state: "held", message: "not here", at: 3000, attempts: 1, earlierReasons: 1 },
  ]);
});

test("a retried event that was delivered, sent again after an audit and refused then is held in its entry", () => {
  const log = openLog();
  log.append('{"n":1}');
  log.refuse(1, "wrong", 2000);
  log.retry(1);
  log.deliver(1);
  expect(log.resend()).toEqual({ kind: "resent", count: 1 });
  log.refuse(1, "conflict", 3000);
  expect(log.entries()).toMatchObject([{ id: 1, state: "held", message: "conflict", attempts: 1, earlierReasons: 1 }]);
  // Held is not delivered: nothing of it is sent again unasked.
  expect(log.resend()).toEqual({ kind: "resent", count: 0 });
});

test("quarantine list and show say how often an event was retried, and keep its id", async () => {
  await using s = await setup({
    reply: ({ body }) => (body.includes('"c1"') ? { status: 422, body: { message: "no such customer" } } : undefined),
  });
  await s.post("/usage/bulk/m", `[${eventNumber(0)},${eventNumber(1)}]`);
  const held = async () => {
    const { ledger } = await s.agent.status();
    return ledger.quarantined === 1 && ledger.pending === 0;
  };
  await until(held, { what: "the refusal" });
  const client = await connectControl(join(s.directory, "buffer"));
  if (client === null) throw new Error("the agent does not run");
  onTestFinished(client.close);
  const { quarantine } = client;
  const before = JSON.parse((await quarantine.show(1)) ?? "") as Record<string, unknown>;
  expect(before).toMatchObject({ id: 1, attempts: 0, earlier_reasons: 0, state: "held" });
  expect(before).not.toHaveProperty("original");
  await quarantine.retry(1, null);
  await until(held, { what: "the second refusal" });
  const listed = (await quarantine.list("held", 0, 9)).map((text) => JSON.parse(text) as Record<string, unknown>);
  expect(listed).toMatchObject([{ id: 1, attempts: 1, earlier_reasons: 1, state: "held", position: 2 }]);
  expect(await quarantine.list(null, 1, 9)).toEqual([]);
});
