/** On a real, small file system: what a full disk does cannot be told from a simulated one. Mounting it needs root. */
import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openStore, type Store } from "../../agent/buffer/store.ts";
import { NO_SCOPE } from "../../agent/buffer/tables/scope.ts";
import type { Operation } from "../../agent/buffer/transactions/operations.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { packEvents } from "./support/pack-events.ts";
import { canMount, createFiller, smallDisk } from "./support/small-disk.ts";

const DISK_BYTES = 16 * 1024 * 1024;
const BODY = JSON.stringify("x".repeat(100_000));

const append = (): Operation<"append"> => ({
  kind: "append",
  stream: "usage/m",
  scope: NO_SCOPE,
  receivedAt: 1000,
  events: packEvents([BODY]),
  idempotency: null,
  strict: true,
});

const settle = (first: number): Operation => ({
  kind: "settle",
  stream: "usage/m",
  first,
  count: 1,
  at: 1,
  quarantine: [],
});

const sizeOf = (directory: string) =>
  readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { name }) => sum + statSync(join(directory, name)).size, 0);

function tidyUp(store: Store): void {
  for (;;) {
    const [outcome] = store.run([{ kind: "tidy", retainMs: 0 }]).outcomes;
    if (outcome?.kind !== "tidied" || !outcome.more) return;
  }
}

// Elsewhere than under root on Linux there is no small disk to fill.
test.runIf(canMount)(
  "OTel #15677, Fluent Bit #9997: a full disk refuses what is new, loses nothing it took, drains without a byte free, and takes again once there is room",
  () => {
    const disk = smallDisk(DISK_BYTES);
    const directory = join(disk, "buffer");
    let seconds = 0;
    const open = () => openStore({ directory, bytesMax: 64e6, tick: () => seconds * 1000 });
    let store = open();
    let taken = 0;
    const outcome = () => store.run([append()]).outcomes[0];
    while (outcome()?.kind === "durable") taken++;
    expect(taken).toBeGreaterThan(10);
    expect(outcome()).toEqual({ kind: "full", bound: "disk" });

    // Not a byte is left, for the log neither.
    const filler = createFiller(disk);
    filler.fill();
    store.close();
    store = open();
    expect(store.state).toMatchObject({ setAside: null, ledgers: [{ accepted: taken, pending: taken }] });
    for (let first = 1; first <= taken; first++) {
      expect(store.run([settle(first)]).outcomes).toEqual([{ kind: "settled" }]);
    }
    expect(store.run([settle(1)]).ledgers).toMatchObject([{ accepted: taken, delivered: taken, pending: 0 }]);
    filler.empty();
    for (let tries = 0; tries < 10; tries++) {
      seconds++;
      if (outcome()?.kind === "durable") break;
    }
    expect(outcome()?.kind).toBe("durable");
    tidyUp(store);
    expect(sizeOf(directory)).toBeLessThan(10_000_000);
    store.close();
  },
);

test.runIf(canMount)("a folder that cannot be written is refused with what to do, and nothing in it is touched", () => {
  const directory = smallDisk(DISK_BYTES);
  openStore({ directory, bytesMax: 8e6 }).close();
  const before = readdirSync(directory);
  execFileSync("mount", ["-o", "remount,ro", directory]);
  expect(() => openStore({ directory, bytesMax: 8e6 })).toThrow(/must be able to write there/);
  expect(readdirSync(directory)).toEqual(before);
});

test("the files stay within max_bytes, whatever is appended, settled and retained, and a drained buffer gives room back", () => {
  const { path, remove } = tempDir("weir-bound");
  onTestFinished(remove);
  const bytesMax = 12_000_000;
  const store = openStore({ directory: path, bytesMax });
  onTestFinished(() => store.close());
  let next = 1;
  let most = 0;
  for (let round = 0; round < 6; round++) {
    let taken = 0;
    while (store.run([append()]).outcomes[0]?.kind === "durable") {
      taken++;
      most = Math.max(most, sizeOf(path));
    }
    expect([round, taken > 3]).toEqual([round, true]);
    const keep = round === 5 ? 0 : 3;
    for (; taken > keep; taken--) store.run([settle(next++)]);
    most = Math.max(most, sizeOf(path));
  }
  expect(most).toBeLessThanOrEqual(bytesMax);
  while ((store.run([settle(next++)]).ledgers[0]?.pending ?? 0) > 0);
  tidyUp(store);
  expect(sizeOf(path)).toBeLessThan(bytesMax / 3);
});
