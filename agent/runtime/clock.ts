/** Time as an argument: everything in the agent that waits or dates something asks one of these. */
import { setTimeout as sleepMs } from "node:timers/promises";
import type { SteadyClock } from "../../shared/clock.ts";

/** A clock that can be waited by. */
export interface Clock extends SteadyClock {
  /** Waits; resolves early, without throwing, once `signal` is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Node cannot wait longer than this in one timer; a longer wait fires at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  tick: () => performance.now(),
  async sleep(ms, signal) {
    try {
      await sleepMs(Math.min(ms, TIMER_MS_MAX), undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      if (!signal?.aborted) throw error;
    }
  },
};
