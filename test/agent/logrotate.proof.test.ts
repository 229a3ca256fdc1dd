/** Debian's logrotate turns a file over while an application writes 2,000 lines a second into it and the agent follows. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { spawnNode } from "../../tools/processes/node-process.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { until } from "../../tools/processes/until.ts";
import { running } from "./support/running.ts";

const WRITER = fileURLToPath(new URL("./support/log-writer.ts", import.meta.url));
const ROTATIONS = 12;
const LINES_BETWEEN = 1000;

const hasLogrotate = spawnSync("logrotate", ["--version"]).status === 0;

interface Mode {
  readonly name: string;
  readonly directives: string;
  /** Whether the writer is asked to open its file anew; a file that is cut stays open. */
  readonly reopens: boolean;
  /** Whether a turned file is compressed while its writer may still have it open. */
  readonly isCompressedAtOnce?: true;
}

const MODES: readonly Mode[] = [
  { name: "create", directives: "create", reopens: true },
  { name: "create, compress", directives: "create\ncompress", reopens: true, isCompressedAtOnce: true },
  { name: "create, compress, delaycompress", directives: "create\ncompress\ndelaycompress", reopens: true },
  { name: "copytruncate", directives: "copytruncate", reopens: false },
  { name: "copytruncate, compress", directives: "copytruncate\ncompress", reopens: false },
];

const lineNumbers = (text: string) => [...text.matchAll(/"CustomerId":"c(\d+)"/g)].map(([, n]) => Number(n));

/** A writer, its rotated file and the agent that follows it. */
async function setup({ directives, reopens }: Mode) {
  const { path: directory, remove } = tempDir("weir-logrotate");
  onTestFinished(remove);
  const file = join(directory, "usage.ndjson");
  writeFileSync(file, "");
  const found = await running(`[[tail]]\npath = "${file}"\nstream = "usage/m"`);
  const writer = spawnNode(WRITER, [file]);
  onTestFinished(async () => void (await writer.kill("SIGKILL")));
  await writer.ready;
  const hangUp = reopens ? `postrotate\nkill -HUP ${writer.pid}\nendscript` : "";
  const config = join(directory, "logrotate.conf");
  writeFileSync(config, `${file} {\nsu root root\nrotate 100\n${directives}\n${hangUp}\n}\n`, { mode: 0o644 });
  return {
    ...found,
    writer,
    rotate() {
      const args = ["-f", "-s", join(directory, "state"), config];
      const { status, stderr } = spawnSync("logrotate", args, { encoding: "utf8" });
      expect(status, stderr).toBe(0);
    },
    /** The lines that stand in some file once all is over. */
    left(): number[] {
      const names = readdirSync(directory).filter((name) => name.startsWith("usage.ndjson"));
      return names.flatMap((name) => {
        const bytes = readFileSync(join(directory, name));
        return lineNumbers((name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString());
      });
    },
    async written(): Promise<number> {
      await writer.kill("SIGTERM");
      return Number(/wrote (\d+)/.exec(writer.stdout())?.[1]);
    },
  };
}

type Followed = Awaited<ReturnType<typeof setup>>;

/** What arrived, each line's number; each must be there once. */
function arrivedOnce({ arrived }: Followed): Set<number> {
  const numbers = arrived().flatMap(lineNumbers);
  const once = new Set<number>();
  expect(numbers.filter((n) => once.size === once.add(n).size)).toEqual([]);
  return once;
}

const reached = (followed: Followed, count: number) =>
  until(() => followed.arrived().length >= count, { what: `${count} lines upstream`, timeoutMs: 120_000 });

/** Waits until every line that stands in some file has arrived; gives those lines. */
async function leftArrived(followed: Followed): Promise<readonly number[]> {
  const left = followed.left();
  await until(
    () => {
      const there = new Set(followed.arrived().flatMap(lineNumbers));
      return left.every((n) => there.has(n));
    },
    { what: "every line that is left to arrive", timeoutMs: 120_000 },
  );
  return left;
}

test.skipIf(!hasLogrotate).each(MODES)("what logrotate leaves is delivered once: $name", async (mode) => {
  const followed = await setup(mode);
  const agent = followed.agent.run();
  await agent.ready;
  for (let rotation = 1; rotation <= ROTATIONS; rotation++) {
    await reached(followed, rotation * LINES_BETWEEN);
    followed.rotate();
  }
  const written = await followed.written();
  const left = await leftArrived(followed);
  const once = arrivedOnce(followed);
  if (mode.reopens) expect(once.size).toBe(written);
  console.log(`${mode.name}: ${written} written, ${left.length} left by logrotate, ${once.size} delivered`);
});

test.skipIf(!hasLogrotate).each(MODES)(
  "what was rotated three times while the agent was down is found: $name",
  async (mode) => {
    const followed = await setup(mode);
    let agent = followed.agent.run();
    let url = await agent.ready;
    for (let round = 1; round <= 3; round++) {
      await reached(followed, round * LINES_BETWEEN);
      await agent.kill("SIGKILL");
      for (let rotation = 0; rotation < 3; rotation++) {
        const before = followed.left().length;
        await until(() => followed.left().length > before + LINES_BETWEEN, { what: "the writer to go on" });
        followed.rotate();
      }
      agent = followed.agent.run();
      url = await agent.ready;
      await reached(followed, followed.arrived().length + LINES_BETWEEN);
    }
    const written = await followed.written();
    await leftArrived(followed);
    const once = arrivedOnce(followed);
    // Compressed at once, a file is gone while its writer may still write to it: those lines logrotate itself destroys.
    if (mode.reopens && !mode.isCompressedAtOnce) expect(once.size).toBe(written);
    expect((await followed.drained(url)).ledger.quarantined).toBe(0);
  },
);
