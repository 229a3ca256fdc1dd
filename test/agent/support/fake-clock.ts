import type { Clock } from "../../../agent/runtime/clock.ts";

export interface FakeClock extends Clock {
  /** Lets time pass; wakes whoever has slept long enough. */
  advance(ms: number): Promise<void>;
  /** Sets the time of day forward or back; nothing that waits notices. */
  jump(ms: number): void;
  /** How many are asleep. */
  readonly sleepers: number;
}

/** A clock that stands still until it is advanced by hand. */
export function fakeClock(startMs = 1_700_000_000_000): FakeClock {
  let elapsed = 0;
  let jumped = 0;
  const asleep = new Set<{ until: number; wake: () => void }>();
  return {
    now: () => startMs + jumped + elapsed,
    tick: () => elapsed,
    get sleepers() {
      return asleep.size;
    },
    sleep(ms, signal) {
      if (signal?.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const sleeper = { until: elapsed + ms, wake: resolve };
        asleep.add(sleeper);
        signal?.addEventListener("abort", () => {
          asleep.delete(sleeper);
          resolve();
        });
      });
    },
    jump(ms) {
      jumped += ms;
    },
    async advance(ms) {
      elapsed += ms;
      for (const sleeper of asleep) {
        if (sleeper.until > elapsed) continue;
        asleep.delete(sleeper);
        sleeper.wake();
      }
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
