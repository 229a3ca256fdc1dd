/** Files that are rotated while a look at them is under way: whole rotations between two steps of it. */
import { appendFileSync, copyFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { openInlineEngine } from "../../agent/buffer/engine.ts";
import { openLog } from "../../agent/buffer/log.ts";
import { createLinesHandler, type LinesHandler } from "../../agent/intake/lines-handler.ts";
import { createSchemas } from "../../agent/intake/schemas.ts";
import { filesNamed } from "../../agent/tail/beside.ts";
import { createFollower } from "../../agent/tail/follower.ts";
import { createOpenFiles } from "../../agent/tail/open-files.ts";
import { DEFAULT_LIMITS } from "../../shared/wire.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { fakeClock } from "./support/fake-clock.ts";
import { eventNumber } from "./support/setup.ts";

const LINES = 100;
const LOOKS = 20;

const hundred = (n: number) => Array.from({ length: LINES }, (_, i) => `${eventNumber(n * LINES + i)}\n`).join("");

/** A follower of `usage.ndjson` on a real log, and what it took. */
async function setup() {
  const { path: directory, remove } = tempDir("weir-tail-races");
  onTestFinished(remove);
  const opened = await openLog(openInlineEngine({ directory, bytesMax: 1e9 }), { id: "t", randomInt: () => 7 });
  if (opened.kind !== "open") throw new Error("the buffer is another's");
  const { log } = opened;
  onTestFinished(() => log.close());
  const clock = fakeClock();
  const freshen = async () => undefined;
  const handler = createLinesHandler({
    ...{ log, schemas: createSchemas(log), clock, limits: DEFAULT_LIMITS, freshen, onQuarantined: () => undefined },
  });
  const taken: string[] = [];
  let meanwhile: (() => void) | null = null;
  const lines: LinesHandler = async (request) => {
    const outcome = await handler(request);
    taken.push(...request.lines.map((line) => Buffer.from(line).toString()));
    meanwhile?.();
    meanwhile = null;
    return outcome;
  };
  const file = join(directory, "usage.ndjson");
  const { signal } = new AbortController();
  const logger = pino({ level: "silent" });
  const follower = createFollower({ path: file, stream: "usage/m", log, lines, clock, logger, signal });
  onTestFinished(() => follower.close());
  return {
    file,
    taken,
    look: follower.look,
    /** Done once, right after the next lines are taken. */
    onceTaken(change: () => void) {
      meanwhile = change;
    },
    async lookOften() {
      for (let look = 0; look < LOOKS; look++) expect(await follower.look()).toBe(null);
    },
  };
}

/** How many lines of each hundred were taken, and how many different ones. */
function counted(taken: readonly string[]) {
  const hundreds: number[] = [];
  for (const line of taken) {
    const n = Math.floor(Number(/"Quantity":(\d+)/.exec(line)?.[1]) / LINES);
    hundreds[n] = (hundreds[n] ?? 0) + 1;
  }
  return { hundreds, distinct: new Set(taken).size };
}

const EACH_ONCE = { hundreds: [LINES, LINES, LINES, LINES], distinct: 4 * LINES };

test("a file that was opened, rotated and compressed before anything was read of it is read once", async () => {
  const { file, taken, look, onceTaken, lookOften } = await setup();
  writeFileSync(file, hundred(0));
  await look();
  appendFileSync(file, hundred(1));
  renameSync(file, `${file}.1`);
  writeFileSync(file, hundred(2));
  onceTaken(() => {
    renameSync(`${file}.1`, `${file}.2`);
    writeFileSync(`${file}.1.gz`, gzipSync(hundred(2)));
    rmSync(file);
    writeFileSync(file, hundred(3));
  });
  await lookOften();
  expect(counted(taken)).toEqual(EACH_ONCE);
});

test("a file that is cut once more after its copy was made, and nothing was read of it in between, is read once", async () => {
  const { file, taken, look, onceTaken, lookOften } = await setup();
  writeFileSync(file, hundred(0));
  await look();
  appendFileSync(file, hundred(1));
  copyFileSync(file, `${file}.1`);
  truncateSync(file, 0);
  appendFileSync(file, hundred(2));
  onceTaken(() => {
    renameSync(`${file}.1`, `${file}.2`);
    copyFileSync(file, `${file}.1`);
  });
  await look();
  truncateSync(file, 0);
  appendFileSync(file, hundred(3));
  await lookOften();
  expect(counted(taken)).toEqual(EACH_ONCE);
});

test("a file whose name passed to another since it was found is not held, nor is the other in its place", async () => {
  const { path: directory, remove } = tempDir("weir-tail-races");
  onTestFinished(remove);
  const name = join(directory, "usage.ndjson.1");
  writeFileSync(name, hundred(0));
  const [found] = await filesNamed(name);
  renameSync(name, `${name}.moved`);
  writeFileSync(name, hundred(1));
  const files = createOpenFiles();
  onTestFinished(() => files.close());
  if (found === undefined) throw new Error("no file was found");
  expect([await files.holdFound(found), files.all()]).toEqual([null, []]);
});

test.each(["", ".gz"])(
  "a copy (%s) that ends before what was read of its original is not read again",
  async (suffix) => {
    const { file, taken, look, lookOften } = await setup();
    writeFileSync(file, hundred(0));
    await look();
    appendFileSync(file, hundred(1));
    await look();
    // Made before the last lines were written, and cut off in the middle of one.
    const copied = (hundred(0) + hundred(1)).slice(0, -700);
    writeFileSync(`${file}.1${suffix}`, suffix === "" ? copied : gzipSync(copied));
    truncateSync(file);
    appendFileSync(file, hundred(2));
    await lookOften();
    appendFileSync(file, hundred(3));
    await lookOften();
    expect(counted(taken)).toEqual(EACH_ONCE);
  },
);
