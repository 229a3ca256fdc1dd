/** Repeats work at D1 that failed for a reason that passes: a bounded number of times, after pauses with jitter. */
import { type BackoffSettings, backoffMs } from "../shared/backoff.ts";
import type { Random } from "../shared/clock.ts";
import { type D1Failure, d1FailureOf } from "./database/d1-errors.ts";

/** How often and after what pauses a failure is met by another try; what is not named is not repeated. */
export type Repeats = Readonly<Partial<Record<D1Failure, BackoffSettings & { readonly times: number }>>>;

export interface RepeatHost {
  readonly random: Random;
  readonly pause: (ms: number) => Promise<void>;
}

/** No pause is shorter, whatever the jitter. */
const PAUSE_MS_MIN = 20;

/**
 * @param run must be safe to repeat though it took effect: D1 may fail after the commit.
 * @throws what the last try threw.
 */
export async function repeated<T>(run: () => Promise<T>, repeats: Repeats, { random, pause }: RepeatHost): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await run();
    } catch (cause) {
      const by = repeats[d1FailureOf(cause)];
      if (by === undefined || tries > by.times) throw cause;
      await pause(Math.max(PAUSE_MS_MIN, backoffMs(tries, random(), by)));
    }
  }
}

/** By a timer of whoever waits. */
export function pauseFor(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** For what a client waits for, which may come again itself: D1 repeats reads by itself too. */
export const READ_REPEATS: Repeats = { passing: { times: 2, baseMs: 50, maxMs: 400 } };

/** For what must be written down, for a call was made: within the margin that its lease leaves. */
export const SETTLE_REPEATS: Repeats = {
  passing: { times: 6, baseMs: 100, maxMs: 2_000 },
  unknown: { times: 4, baseMs: 100, maxMs: 1_000 },
  // Rarely: it is overloaded by such as this.
  overloaded: { times: 4, baseMs: 1_000, maxMs: 4_000 },
};
