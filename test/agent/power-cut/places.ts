/** Where in a recording the power is cut: all over it, and more often where most is at stake. */
import { createRandom, type Random } from "../../shared/random-json.ts";
import { type Recording, repeatsIn } from "./recording.ts";

export interface Cut {
  /** What is special about the place. */
  readonly where: string;
  /** The line of the trace before which the power goes. */
  readonly at: number;
  /** Decides what is left of what was not synced. */
  readonly seed: number;
}

/** @returns a hundred cuts: the same ones for the same recording and seed. */
export function chooseCuts(recording: Recording, seed: number): Cut[] {
  const random = createRandom(seed);
  const { operations, acknowledgements, bounds } = recording;
  const end = bounds.at(-1) ?? 0;
  const repeats = repeatsIn(recording.told);
  const repeated = acknowledgements.filter(({ trackId }) => repeats.has(trackId));
  const firstAnswer = acknowledgements[0]?.at ?? 0;
  const allSyncs = operations.filter(({ kind }) => kind === "sync");
  const later = allSyncs.filter(({ began }) => began > firstAnswer);
  // An agent that syncs no commit has only those of its files' making.
  const syncs = later.length > 0 ? later : allSyncs;
  const making = operations.filter(({ began }) => began < firstAnswer);
  const lives = bounds.slice(1).map((to, life) => answersWithin(recording, bounds[life] ?? 0, to));
  const opening = operations.filter(({ began }) => lives.some(({ from, first }) => from <= began && began < first));
  const closing = operations.filter(({ began }) => lives.some(({ to, last }) => last < began && began < to));
  // Only carrying the log over writes into the main file, once there is a log.
  const carrying = changesOf(recording, "buffer.db").filter(({ began }) => began > firstAnswer);
  const naming = operations.filter(({ kind }) => /^(make|remove|rename)/.test(kind));
  const kinds: readonly (readonly [count: number, where: string, at: (index: number) => number])[] = [
    [20, "right after an answer", () => anyOf(acknowledgements, random).at + 1],
    [6, "right after a repeat was answered", () => anyOf(repeated, random).at + 1],
    [12, "before an fsync came back", () => anyOf(syncs, random).ended],
    [12, "after an fsync came back", () => anyOf(syncs, random).ended + 1],
    [14, "while the log is carried over", () => anyOf(carrying, random).began + 1],
    // There are few, and each counts: all of them in turn.
    [24, "where a name changed", (index) => (naming[index % naming.length] ?? anyOf(naming, random)).began + 1],
    [5, "while the buffer is made", () => anyOf(making, random).began + 1],
    [2, "while it is opened", () => anyOf(opening, random).began + 1],
    [3, "at the close", () => anyOf(closing, random).began + 1],
    [2, "anywhere", () => random.below(end)],
  ];
  return kinds.flatMap(([count, where, at]) =>
    Array.from({ length: count }, (_, index) => ({ where, at: at(index), seed: random.below(2 ** 31) })),
  );
}

/** What was done to one of the buffer's files, by its name; to each that had it, one after the other. */
export function changesOf({ operations, told }: Recording, name: string) {
  const path = `${told.directory}/${name}`;
  const files = new Set(operations.flatMap((one) => (one.kind === "make-file" && one.path === path ? [one.file] : [])));
  return operations.filter((one) => one.kind === "change").filter(({ file }) => files.has(file));
}

/** One process's lines, and its first and last answer among them. */
function answersWithin({ acknowledgements }: Recording, from: number, to: number) {
  const answers = acknowledgements.map(({ at }) => at).filter((at) => from <= at && at < to);
  return { from, to, first: answers.at(0) ?? from, last: answers.at(-1) ?? to };
}

function anyOf<T>(list: readonly T[], random: Random): T {
  const one = list[random.below(list.length)];
  if (one === undefined) throw new Error("the recording lacks what a cut was to be made at");
  return one;
}
