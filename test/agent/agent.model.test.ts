/**
 * The real log, uploader and quarantine against a model of them in memory (test/agent/model/agent-model.ts). What
 * fails is printed in its shortest form, with the seed that makes it again.
 */
import { join } from "node:path";
import fc from "fast-check";
import { onTestFinished, test } from "vitest";
import { FAST_PARENT, tempDir } from "../../tools/processes/temp-dir.ts";
import { modelRuns } from "../support/model-runs.ts";
import { type Place, play } from "./model/history.ts";
import { type History, histories, type Step } from "./model/steps.ts";
import { canMount, createFiller, smallDisk } from "./support/small-disk.ts";

const HISTORIES = modelRuns({ full: 1000, short: 100 });
/** Other histories at every run of a developer; the same ones in CI, where a find would be taken for a flake. */
const SEED = process.env["CI"] === undefined ? {} : { seed: 20_261_121 };
const DISK_BYTES = 3_000_000;
const SCRATCH_BYTES = 64_000_000;

/** Histories that found something once. */
const FOUND: readonly (readonly Step[])[] = [
  // A log that a kill left with an empty write-ahead log was taken for damaged where the disk was full.
  [
    { do: "fill the disk", leave: 0 },
    { do: "kill", taken: false },
    { do: "restart", dies: null },
  ],
  // Without a byte free, and others in the reserve's room, it did not start.
  [
    { do: "fill the disk", leave: 0 },
    { do: "restart", dies: null },
    { do: "fill the disk", leave: 0 },
    { do: "kill", taken: false },
  ],
  // The checker wanted an outcome of a discard whose process died before it could tell.
  [
    {
      do: "append",
      requests: [{ meter: "a", entity: null, lenient: false, key: null, kinds: ["conflict"], repeats: null }],
      dies: null,
    },
    { do: "send", treatments: [{ kind: "as-due" }], dies: null },
    { do: "discard", nth: 0, dies: { point: "after-commit", nth: 0 } },
  ],
  // The checker mistook a lenient body for the same one that was refused strictly.
  [
    {
      do: "append",
      requests: [
        { meter: "b", entity: "e1", lenient: false, key: null, kinds: ["invalid"], repeats: null },
        { meter: "b", entity: "e1", lenient: true, key: null, kinds: ["good"], repeats: 0 },
        { meter: "a", entity: null, lenient: false, key: null, kinds: ["good"], repeats: null },
      ],
      dies: { point: "after-commit", nth: 0 },
    },
    { do: "discard", nth: 0, dies: null },
  ],
  // Refused again after its retry: the same entry.
  [
    {
      do: "append",
      requests: [{ meter: "a", entity: null, lenient: false, key: null, kinds: ["conflict"], repeats: null }],
      dies: null,
    },
    { do: "send", treatments: [{ kind: "as-due" }], dies: null },
    { do: "retry", nth: 0, corrected: null, dies: null },
    { do: "send", treatments: [{ kind: "as-due" }], dies: null },
    { do: "retry", nth: 0, corrected: "conflict", dies: { point: "after-commit", nth: 0 } },
    { do: "send", treatments: [{ kind: "as-due" }], dies: null },
    { do: "audit and repair", everything: true, dies: null },
  ],
  // What was delivered of a row whose last event was refused could not be sent again.
  [
    {
      do: "append",
      requests: [{ meter: "a", entity: null, lenient: false, key: null, kinds: ["good", "huge"], repeats: null }],
      dies: null,
    },
    { do: "send", treatments: [{ kind: "as-due" }, { kind: "as-due" }, { kind: "as-due" }], dies: null },
    { do: "lose", nth: 1 },
    { do: "audit and repair", everything: false, dies: null },
  ],
];

/** Folders for one history after the other: on file systems in memory, since each commit is synced. */
function createPlaces(): () => Place {
  let number = 0;
  if (canMount) {
    const [disk, scratch] = [smallDisk(DISK_BYTES), smallDisk(SCRATCH_BYTES)];
    const filler = createFiller(disk);
    return () => ({ directory: join(disk, String(number++)), scratch, filler });
  }
  const { path, remove } = tempDir("weir-model", FAST_PARENT);
  onTestFinished(remove);
  return () => ({ directory: join(path, String(number++)), scratch: path, filler: null });
}

const withoutDisk = canMount ? "" : " (not with a full disk: only root on Linux can mount one to fill)";

test(`whatever is accepted, sent, refused, lost, killed, filled, retried, discarded and repaired: after every step all that can be seen is what the model says, and in the end each event is at the destination once, held, or discarded on record${withoutDisk}`, async () => {
  const place = createPlaces();
  const found = FOUND.map((steps): [History] => [{ concurrency: 1, batchEvents: 4, steps }]);
  await fc.assert(
    fc.asyncProperty(histories(canMount), (history) => play(history, place())),
    { ...SEED, numRuns: HISTORIES, examples: found },
  );
});
