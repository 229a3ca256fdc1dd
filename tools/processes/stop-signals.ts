import { onClosedPipe } from "./closed-pipe.ts";

/**
 * Ctrl-C reaches a script of npm twice: from the terminal, and passed on by npm. Only what comes later than that
 * is a person who does not want to wait.
 */
const SAME_WISH_MS = 1_000;
const NOBODY_READS = "nobody reads the output";

/** Whether it was the reader of the output that went away. */
export function isClosedPipe({ reason }: AbortSignal): boolean {
  return reason instanceof Error && reason.message === NOBODY_READS;
}

/** Aborts at the first signal to stop; a later one leaves at once, which kills whatever is still running. */
export function stopSignal(): AbortSignal {
  const stopping = new AbortController();
  let firstAtMs = 0;
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      if (!stopping.signal.aborted) {
        firstAtMs = performance.now();
        stopping.abort(new Error("interrupted"));
      } else if (performance.now() - firstAtMs > SAME_WISH_MS) {
        process.exit(1);
      }
    });
  }
  onClosedPipe(() => stopping.abort(new Error(NOBODY_READS)));
  return stopping.signal;
}
