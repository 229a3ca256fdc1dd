/** A disk that fails under a running agent: full, unable to sync, its bytes changed. */
import { execFileSync, spawn } from "node:child_process";
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { NodeProcess } from "../../tools/processes/node-process.ts";
import { until } from "../../tools/processes/until.ts";
import { QUICK_AGENT } from "./support/cli.ts";
import { notOnce, paddedEvent, postEvents, startLoad } from "./support/load.ts";
import { running } from "./support/running.ts";
import { canMount, createFiller, smallDisk } from "./support/small-disk.ts";

const canTrace = canMount && isThere("strace");

function isThere(program: string): boolean {
  try {
    execFileSync(program, ["-V"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const MIB = 1024 * 1024;

// Elsewhere than under root on Linux there is no small disk to fill.
test.runIf(canMount)(
  "on a full disk clients get 507 with what to do, what was taken is kept over a kill and drains without a byte free, everybody is told how things are, and room that comes back is used",
  async () => {
    const disk = smallDisk(24 * MIB);
    const { agent, destination, arrived, status, drained } = await running(
      `[buffer]\npath = ${JSON.stringify(join(disk, "buffer"))}\nmax_bytes = "1 GiB"`,
    );
    destination.reply = () => "cut";
    let process = agent.run();
    let url = await process.ready;
    const filler = createFiller(disk);
    filler.fill(3 * MIB);
    const load = startLoad({ url: () => url, eventsEach: 10, padding: 10_000 });
    await until(() => (load.statuses.get(507) ?? 0) >= 3, { what: "the disk to be full" });
    await load.stop();
    expect([...load.statuses.keys()].sort()).toEqual([200, 507]);

    const refused = await postEvents(url, [paddedEvent(10_000)]);
    expect([refused.status, refused.headers.get("retry-after"), await refused.json()]).toEqual([
      507,
      "5",
      { success: false, message: "the disk is full", reasons: [] },
    ]);
    filler.fill();
    await process.kill("SIGKILL");
    process = agent.run();
    url = await process.ready;
    expect((await status(url)).ledger).toMatchObject({ accepted: load.owed.size, pending: load.owed.size });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain(`state="pending"} ${load.owed.size}\n`);
    expect((await agent.command(["status", "--json"])).code).toBe(0);
    expect((await postEvents(url, [paddedEvent(100_000)])).status).toBe(507);

    destination.reply = () => undefined;
    expect((await drained(url)).ledger).toMatchObject({ delivered: load.owed.size, pending: 0 });
    expect(notOnce(load.owed, arrived())).toEqual([]);
    filler.empty();
    await until(async () => (await postEvents(url, [paddedEvent(0)])).status === 200, {
      what: "room to be used again",
    });
    expect((await drained(url)).ledger.accepted).toBe(load.owed.size + 1);
    expect(await process.kill("SIGTERM")).toEqual({ code: 0, signal: null });
  },
);

/** Lets the next sync of each of a process's threads fail, as a disk does that can no longer write. */
async function failNextSync({ pid }: NodeProcess): Promise<void> {
  const threads = readdirSync(`/proc/${pid}/task`).flatMap((thread) => ["-p", thread]);
  // Not -f: a thread that is started afterwards has a disk that works.
  const inject = "inject=fsync,fdatasync:error=EIO:when=1";
  const tracer = spawn("strace", [...threads, "-e", "trace=fsync,fdatasync", "-e", inject], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  onTestFinished(() => void tracer.kill("SIGKILL"));
  let said = "";
  tracer.stderr.on("data", (chunk) => {
    said += chunk;
  });
  await until(() => said.includes("attached"), { what: "strace to be attached" });
}

test.runIf(canTrace)(
  "Vector #22489, #8540: a commit whose sync fails is never answered 2xx; the same process opens its log anew on the same port, and nothing answered for is lost (needs root and strace)",
  async () => {
    const { agent, destination, arrived, drained } = await running();
    // Nothing is delivered meanwhile, so that every commit is one that clients wait for.
    destination.reply = () => "cut";
    const process = agent.run({ script: QUICK_AGENT });
    const url = await process.ready;
    const load = startLoad({ url: () => url });
    for (let round = 1; round <= 2; round++) {
      const enough = load.owed.size + 50;
      await until(() => load.owed.size >= enough, { what: "events to be taken" });
      await failNextSync(process);
      const readyLines = () => process.stdout().match(/^agent ready on .*$/gm) ?? [];
      await until(() => readyLines().length > round, { what: "the log to be opened anew" });
      expect(new Set(readyLines())).toEqual(new Set([`agent ready on ${url}`]));
    }
    const before = load.owed.size;
    await until(() => load.owed.size > before + 50, { what: "events to be taken again" });
    await load.stop();
    // Those in hand when the sync failed were told so.
    expect(load.statuses.get(503) ?? 0).toBeGreaterThanOrEqual(1);
    expect(process.stderr()).toContain("the log failed");
    expect(process.stderr()).not.toContain("damaged");
    destination.reply = () => undefined;
    await drained(url);
    expect(destination.disagreements).toEqual([]);
    expect(notOnce(load.owed, arrived())).toEqual([]);
    expect(await process.kill("SIGTERM")).toEqual({ code: 0, signal: null });
  },
);

const PAGE_BYTES = 4096;

/** Overwrites the head of each page of the main file but the first, which tells what is in it and where it goes on. */
function spoilPages(file: string): void {
  const descriptor = openSync(file, "r+");
  const { size } = fstatSync(descriptor);
  for (let at = PAGE_BYTES; at < size; at += PAGE_BYTES) writeSync(descriptor, Buffer.alloc(8, 0xff), 0, 8, at);
  closeSync(descriptor);
}

test("a log whose file is spoilt beneath a running agent is set aside whole and reported; the same process goes on with a new one on the same port, and keeps its word for all it says yes to", async () => {
  const { agent, destination, arrived, drained } = await running();
  const buffer = join(agent.directory, "weir-buffer");
  destination.reply = () => "cut";
  const process = agent.run({ script: QUICK_AGENT });
  const url = await process.ready;
  const load = startLoad({ url: () => url, padding: 20_000 });
  // More than the writer has in memory, so that it has to look into the file.
  await until(() => load.owed.size >= 400, { what: "the file to grow" });
  spoilPages(join(buffer, "buffer.db"));
  const before = new Set(load.owed);
  destination.reply = () => undefined;
  await until(() => process.stdout().match(/^agent ready on /gm)?.length === 2, {
    what: "a new log to be begun",
    timeoutMs: 60_000,
  });
  const during = new Set(load.owed);
  await until(() => load.owed.size > during.size + 50, { what: "events to be taken again" });
  await load.stop();
  await drained(url);

  expect(process.isRunning()).toBe(true);
  expect(process.stdout().match(/http:\S+/g)).toEqual([url, url]);
  expect(process.stderr()).toContain("the log was damaged and has been set aside whole; a new one is begun");
  const aside = readdirSync(join(buffer, "damaged"));
  expect(aside.length).toBe(1);
  const asideIn = join(buffer, "damaged", aside[0] ?? "");
  const kept = readdirSync(asideIn).map((name) => readFileSync(join(asideIn, name)));
  // Either it arrived, or it is in the files that were set aside, for a person to look at.
  const there = new Set(arrived());
  const lost = [...load.owed].filter((text) => {
    const mark = text.slice(0, text.indexOf(",") + 1);
    return !there.has(text) && !kept.some((bytes) => bytes.includes(mark));
  });
  expect(lost).toEqual([]);
  // What was answered for by the new log was delivered from it.
  const later = [...load.owed].filter((text) => !during.has(text) && !before.has(text));
  expect(notOnce(later, arrived())).toEqual([]);
  const checked = await agent.command(["check", "--json"]);
  expect([checked.code, checked.stdout.includes("damaged")]).toEqual([1, true]);
  expect(await process.kill("SIGTERM")).toEqual({ code: 0, signal: null });
});
