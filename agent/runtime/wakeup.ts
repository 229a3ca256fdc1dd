import type { Clock } from "./clock.ts";

/** A wait that others can cut short. */
export interface Wakeup {
  /** Resolves after `ms`, at the next `wake`, or once `signal` is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  wake(): void;
}

export function createWakeup(clock: Clock): Wakeup {
  let current = new AbortController();
  return {
    wait: (ms, signal) => clock.sleep(ms, AbortSignal.any([current.signal, signal])),
    wake() {
      current.abort();
      current = new AbortController();
    },
  };
}
