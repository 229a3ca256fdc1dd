import { setTimeout as sleep } from "node:timers/promises";

export interface UntilOptions {
  /** What is waited for, for the message: "the buffer to drain". */
  readonly what: string;
  /** Only what never comes runs into it: long enough for a machine that is busy with much else. */
  readonly timeoutMs?: number;
  readonly everyMs?: number;
  /** Ends the wait early by throwing its reason. */
  readonly signal?: AbortSignal;
}

/**
 * Asks again and again until the answer is neither null, undefined nor false, and returns it.
 * An error thrown by the question counts as "not yet"; past the deadline it is the cause of what is thrown.
 */
export async function until<T>(
  ask: () => T | Promise<T>,
  { what, timeoutMs = 120_000, everyMs = 25, signal }: UntilOptions,
): Promise<Exclude<T, null | undefined | false>> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    signal?.throwIfAborted();
    try {
      const answer = await ask();
      if (answer !== null && answer !== undefined && answer !== false) {
        return answer as Exclude<T, null | undefined | false>;
      }
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= deadline) {
      throw new Error(`waited ${timeoutMs} ms in vain for ${what}`, { cause: last });
    }
    await sleep(everyMs, undefined, signal === undefined ? {} : { signal });
  }
}
