/**
 * How many calls may be under way: one more after each round that went well, half after a sign of overload. After an
 * outage it begins at one, so that a backlog comes back paced and not as a flood.
 */
import type { Clock } from "../clock.ts";
import { createPulse } from "../pulse.ts";

export interface Window {
  /** Resolves once a call may begin; false when `signal` was aborted before. */
  enter(signal: AbortSignal): Promise<boolean>;
  leave(): void;
  /** A call was answered as it should be. */
  grow(): void;
  /** Overload: 429, 503, a call that took too long. */
  shrink(): void;
  /** No answer at all: begin anew with one. */
  collapse(): void;
  readonly size: number;
}

const IDLE_MS = 60_000;

/** @param most the configured concurrency. */
export function createWindow(clock: Clock, most: () => number): Window {
  const freed = createPulse(clock);
  let size = Number.POSITIVE_INFINITY;
  let active = 0;
  const allowed = () => Math.max(1, Math.floor(Math.min(size, most())));
  return {
    async enter(signal) {
      while (active >= allowed()) {
        if (signal.aborted) return false;
        await freed.wait(IDLE_MS, signal);
      }
      if (signal.aborted) return false;
      active++;
      return true;
    },
    leave() {
      active--;
      freed.fire();
    },
    grow() {
      size = Math.min(most(), Math.min(size, most()) + 1 / allowed());
      freed.fire();
    },
    shrink() {
      size = Math.max(1, Math.min(size, most()) / 2);
    },
    collapse() {
      size = 1;
    },
    get size() {
      return allowed();
    },
  };
}
