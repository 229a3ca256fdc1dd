/** Where in a recording the power is cut: all over it, and more often where most is at stake. */
import { createRandom, type Random } from "../../shared/random-json.ts";
import type { Recording } from "./recording.ts";

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
  const { operations, acknowledgements, bounds, told } = recording;
  const end = bounds.at(-1) ?? 0;
  const [firstAnswer = 0, lastAnswer = 0] = [acknowledgements.at(0)?.at, acknowledgements.at(-1)?.at];
  const syncs = operations.filter(({ kind, began }) => kind === "sync" && began > firstAnswer);
  const making = operations.filter(({ began }) => began < firstAnswer);
  const closing = operations.filter(({ began }) => began > lastAnswer);
  // Only carrying the log over writes into the main file, once there is a log.
  const main = operations.find((one) => one.kind === "make-file" && one.path === `${told.directory}/buffer.db`);
  const carrying = operations.filter(
    (one) => one.kind === "change" && one.began > firstAnswer && main?.kind === "make-file" && one.file === main.file,
  );
  const kinds: readonly (readonly [count: number, where: string, at: (random: Random) => number])[] = [
    [30, "right after an answer", () => anyOf(acknowledgements, random).at + 1],
    [12, "before an fsync came back", () => anyOf(syncs, random).ended],
    [12, "after an fsync came back", () => anyOf(syncs, random).ended + 1],
    [16, "while the log is carried over", () => anyOf(carrying, random).began + 1],
    [12, "while the buffer is made", () => anyOf(making, random).began + 1],
    [8, "at the clean close", () => anyOf(closing, random).began + 1],
    [10, "anywhere", () => random.below(end)],
  ];
  return kinds.flatMap(([count, where, at]) =>
    Array.from({ length: count }, () => ({ where, at: at(random), seed: random.below(2 ** 31) })),
  );
}

function anyOf<T>(list: readonly T[], random: Random): T {
  const one = list[random.below(list.length)];
  if (one === undefined) throw new Error("the recording lacks what a cut was to be made at");
  return one;
}
