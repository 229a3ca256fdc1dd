/**
 * Regressions seen in other projects, as the issues of Vector, the OpenTelemetry Collector and Fluent Bit report them, as
 * promises that the agent keeps: each with the real process, real files and a real kill where the report has one. A commit that cannot
 * be synced and a full disk are in failing-disk.proof.test.ts.
 */
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { bytesIn } from "../../agent/operator/status.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { until } from "../../tools/processes/until.ts";
import { cli } from "./support/cli.ts";
import { openCountingDestination } from "./support/counting-destination.ts";
import { notOnce, paddedEvent, postEvents, startLoad } from "./support/load.ts";
import { AGENT_FLAGS } from "./support/npm-agent.ts";
import { running } from "./support/running.ts";
import { eventNumber, events } from "./support/setup.ts";

const BUFFER = "weir-buffer";

/** The texts of the events that wait, read with nothing but SQLite from a copy of the files. */
function waitingInCopy(buffer: string): string {
  const copy = tempDir("weir-copy");
  onTestFinished(() => copy.remove());
  for (const name of readdirSync(buffer).filter((file) => file.startsWith("buffer.db"))) {
    cpSync(join(buffer, name), join(copy.path, name));
  }
  const db = new DatabaseSync(join(copy.path, "buffer.db"));
  try {
    const rows = db.prepare("SELECT CAST(body AS TEXT) AS body FROM batches ORDER BY first").all();
    return rows.map((row) => String(row["body"])).join(",");
  } finally {
    db.close();
  }
}

test("acknowledged before it is durable (Vector #22489, #8540): at the moment of each 2xx, whoever copies the files finds the event in them", async () => {
  const { agent, destination } = await running();
  destination.reply = () => "hang";
  const url = await agent.run().ready;
  for (let n = 0; n < 12; n++) {
    const text = eventNumber(n);
    expect((await postEvents(url, [text])).status).toBe(200);
    expect(waitingInCopy(join(agent.directory, BUFFER)).endsWith(text)).toBe(true);
  }
});

test("one bad record bricks the queue or takes its batch along (OTel #14298, #14264): poisoned events are held, every other one is delivered, through kills in the middle of it", async () => {
  const { agent, destination, arrived, drained } = await running();
  agent.configure(destination.url, "batch_events = 64");
  const poison = (text: string) => /"c(13|77|78|200)"/.test(text);
  destination.reply = (call, index) => {
    if (!call.events.some(poison)) return index % 5 === 4 ? "take-and-cut" : undefined;
    // Some destinations say that they do not like it, some that it is too much, some choke on it for a while.
    return { status: [400, 413, 422, 500][index % 4] ?? 500, body: { message: "cannot be read" } };
  };
  let process = agent.run();
  let url = await process.ready;
  const all = events(256);
  for (let first = 0; first < all.length; first += 32) {
    expect((await postEvents(url, all.slice(first, first + 32))).status).toBe(200);
  }
  for (const calls of [10, 30]) {
    await until(() => destination.calls.length >= calls, { what: "calls to be refused" });
    await process.kill("SIGKILL");
    process = agent.run();
    url = await process.ready;
  }
  expect((await drained(url)).ledger).toMatchObject({ accepted: 256, delivered: 252, quarantined: 4 });
  expect(arrived().sort()).toEqual(all.filter((text) => !poison(text)).sort());
  const held = JSON.parse((await agent.command(["quarantine", "list", "--json"])).stdout) as { event: object }[];
  expect(held.map(({ event }) => JSON.stringify(event)).sort()).toEqual(all.filter(poison).sort());
});

test("nothing to look into the buffer with or to repair it (Vector #19154): after a kill everything can be listed, checked, corrected, given up and exported, and the file is one that any SQLite opens", async () => {
  const { agent, destination, arrived } = await running();
  destination.reply = () => "hang";
  const process = agent.run();
  const url = await process.ready;
  expect((await postEvents(url, events(20))).status).toBe(200);
  const lenient = await postEvents(url, ['{"CustomerId":7}', '{"CustomerId":8}', '{"CustomerId":9}'], {
    prefer: "handling=lenient",
  });
  expect(await lenient.json()).toMatchObject({ quarantined: 3 });
  await process.kill("SIGKILL");

  expect(waitingInCopy(join(agent.directory, BUFFER))).toBe(events(20).join(","));
  const told = JSON.parse((await agent.command(["status", "--json"])).stdout);
  expect(told).toMatchObject({ running: false, ledger: { accepted: 23, pending: 20, quarantined: 3 } });
  expect((await agent.command(["check", "--json"])).stdout).toContain('"check":"buffer","ok":true');
  const held = JSON.parse((await agent.command(["quarantine", "list", "--json"])).stdout) as { id: number }[];
  const [first, second, third] = held.map(({ id }) => String(id));
  const corrected = await agent.command(["quarantine", "retry", first ?? "", "--event", "-"], eventNumber(100));
  const givenUp = await agent.command(["quarantine", "discard", second ?? "", "--reason", "a test device"]);
  const exported = await agent.command(["quarantine", "export"]);
  expect([corrected.code, givenUp.code, exported.code]).toEqual([0, 0, 0]);
  expect(
    exported.stdout
      .trim()
      .split("\n")
      .map((line) => String(JSON.parse(line).id)),
  ).toEqual([third]);

  destination.reply = () => undefined;
  expect((await agent.command(["drain"])).code).toBe(0);
  expect(arrived().sort()).toEqual([...events(20), eventNumber(100)].sort());
  const after = JSON.parse((await agent.command(["status", "--json"])).stdout);
  expect(after.ledger).toEqual({ accepted: 23, delivered: 21, pending: 0, quarantined: 1, discarded: 1 });
});

test("after a reset only erasing the buffer helps, and no signal is heard (Vector #17644): the agent starts on damaged files by itself, keeps them whole, takes and delivers, and ends at SIGINT", async () => {
  const { agent, destination, drained, arrived } = await running();
  destination.reply = () => "hang";
  const buffer = join(agent.directory, BUFFER);
  let process = agent.run();
  let url = await process.ready;
  for (let n = 0; n < 20; n++) expect((await postEvents(url, [eventNumber(n)])).status).toBe(200);
  await process.kill("SIGKILL");
  const wal = join(buffer, "buffer.db-wal");
  const bytes = readFileSync(wal);
  bytes.fill(0, 12_000, 16_000);
  writeFileSync(wal, bytes);

  destination.reply = () => undefined;
  for (const round of [1, 2]) {
    process = agent.run();
    url = await process.ready;
    expect((await postEvents(url, [eventNumber(100 + round)])).status).toBe(200);
    await drained(url);
    void process.kill("SIGINT");
    await until(() => !process.isRunning(), { what: "the agent to end at SIGINT" });
    expect(await process.exited).toEqual({ code: 0, signal: null });
  }
  expect(arrived()).toEqual([eventNumber(101), eventNumber(102)]);
  const [aside = ""] = readdirSync(join(buffer, "damaged"));
  expect(readdirSync(join(buffer, "damaged")).length).toBe(1);
  expect(readFileSync(join(buffer, "damaged", aside, "buffer.db-wal")).equals(bytes)).toBe(true);
  expect(readFileSync(join(buffer, "damaged", aside, "reason.txt"), "utf8")).toContain("write-ahead log is damaged");
});

const MIB = 1024 * 1024;

/** The most memory that a process ever had, in bytes; Linux alone tells. */
function mostMemory(pid: number): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1]) * 1024;
}

test("memory or disk blow up while a backlog drains (OTel #11018, Fluent Bit #9997): 100 MB of events drain in a process that never has 200, the files never exceed max_bytes, and shrink afterwards", async () => {
  const destination = await openCountingDestination();
  const agent = cli(destination.url);
  onTestFinished(async () => {
    await agent[Symbol.asyncDispose]();
    await destination.close();
  });
  const [max, buffer] = [128 * MIB, join(agent.directory, BUFFER)];
  agent.configure(destination.url, `[buffer]\nmax_bytes = ${max}`);
  let process = agent.run({ nodeFlags: AGENT_FLAGS });
  const url = await process.ready;
  let mostBytes = 0;
  const measure = async () => {
    mostBytes = Math.max(mostBytes, await bytesIn(buffer));
  };
  let [taken, eventBytes] = [0, 0];
  for (let status = 200; status === 200; ) {
    // New events each time: a body repeated byte for byte is one that the agent has already.
    const body = Array.from({ length: 2000 }, () => paddedEvent(400));
    eventBytes = body[0]?.length ?? 0;
    const response = await postEvents(url, body);
    status = response.status;
    await response.arrayBuffer();
    if (status === 200) taken += body.length;
    else expect(status).toBe(429);
    await measure();
  }
  expect(taken * eventBytes).toBeGreaterThan(90 * MIB);
  // Started anew, so that what its memory was at most tells of the drain alone.
  await process.kill("SIGKILL");
  process = agent.run({ nodeFlags: AGENT_FLAGS });
  await process.ready;
  destination.open = true;
  await until(
    async () => {
      await measure();
      return destination.events === taken;
    },
    { what: "the backlog to drain", timeoutMs: 300_000 },
  );
  expect(destination.repeats).toBe(0);
  await until(async () => (await bytesIn(buffer)) < max / 4, { what: "the files to shrink" });
  expect(mostBytes).toBeLessThanOrEqual(max);
  if (existsSync(`/proc/${process.pid}/status`)) expect(mostMemory(process.pid)).toBeLessThan(200 * MIB);
});

test("a restart, a refused key or a shutdown loses data (OTel #15677, Vector #10870): refused with 401 for long, killed, restarted and ended in the middle of load, every event answered for arrives once", async () => {
  const { agent, destination, arrived, drained } = await running();
  destination.reply = () => ({ status: 401 });
  let process = agent.run();
  let url = await process.ready;
  const load = startLoad({ url: () => url });
  for (const signal of ["SIGTERM", "SIGKILL", "SIGINT", "SIGTERM"] as const) {
    const [calls, enough] = [destination.calls.length, load.owed.size + 100];
    await until(() => load.owed.size >= enough && destination.calls.length > calls, { what: "events and a refusal" });
    const exit = await process.kill(signal);
    if (signal !== "SIGKILL") expect(exit).toEqual({ code: 0, signal: null });
    process = agent.run();
    url = await process.ready;
  }
  await load.stop();
  const { ledger } = JSON.parse((await agent.command(["status", "--json"])).stdout);
  expect(ledger).toMatchObject({ delivered: 0, quarantined: 0, discarded: 0, pending: ledger.accepted });
  destination.reply = () => undefined;
  await drained(url);
  expect(notOnce(load.owed, arrived())).toEqual([]);
  expect(destination.disagreements).toEqual([]);
});
