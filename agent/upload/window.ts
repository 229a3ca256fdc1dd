/**
 * How many calls may be under way: one more after each round that went well, half after a sign of overload. After an
 * outage it begins at one, so that a backlog comes back paced and not as a flood.
 */
import type { Clock } from "../runtime/clock.ts";
import { createWakeup } from "../runtime/wakeup.ts";

export interface Window {
  /** Resolves once a call may begin; null when `signal` was aborted before. */
  enter(signal: AbortSignal): Promise<Place | null>;
  readonly size: number;
}

/** A call's place in the window. */
export interface Place {
  leave(): void;
  /** It was answered as it should be. */
  grow(): void;
  /**
   * Overload: 429, 503, 507, a call that took too long. All calls of a round tell of the same overload, so those that
   * began before the last halving do not halve again.
   */
  shrink(): void;
  /** No answer at all: begin anew with one. */
  collapse(): void;
}

const IDLE_MS = 60_000;

/** @param most the configured concurrency, which may change at any time. */
export function createWindow(clock: Clock, most: () => number): Window {
  const freed = createWakeup(clock);
  let size = Number.POSITIVE_INFINITY;
  let active = 0;
  let halvings = 0;
  const allowed = () => Math.max(1, Math.floor(Math.min(size, most())));
  const place = (): Place => {
    const before = halvings;
    return {
      leave() {
        active--;
        freed.wake();
      },
      grow() {
        size = Math.min(most(), Math.min(size, most()) + 1 / allowed());
        freed.wake();
      },
      shrink() {
        if (before !== halvings) return;
        halvings++;
        size = Math.max(1, Math.min(size, most()) / 2);
      },
      collapse() {
        halvings++;
        size = 1;
      },
    };
  };
  return {
    async enter(signal) {
      while (active >= allowed()) {
        if (signal.aborted) return null;
        await freed.wait(IDLE_MS, signal);
      }
      if (signal.aborted) return null;
      active++;
      return place();
    },
    get size() {
      return allowed();
    },
  };
}
