/** Time as an argument: everything in the agent that waits or dates something asks one of these. */
import { setTimeout as sleepMs } from "node:timers/promises";

export interface Clock {
  /** Milliseconds since 1970, for dates that are kept. */
  now(): number;
  /** Milliseconds that never jump, for waits and ages. */
  tick(): number;
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
