import type { Clock } from "./clock.ts";

/** A wait that others can cut short. */
export interface Pulse {
  /** Resolves after `ms`, at the next `fire`, or once `signal` is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  fire(): void;
}

export function createPulse(clock: Clock): Pulse {
  let current = new AbortController();
  return {
    wait: (ms, signal) => clock.sleep(ms, AbortSignal.any([current.signal, signal])),
    fire() {
      current.abort();
      current = new AbortController();
    },
  };
}
