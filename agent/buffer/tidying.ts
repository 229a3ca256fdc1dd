/** Housekeeping: old idempotency keys and delivered batches are forgotten, and a buffer that ran empty gives its space back. */
import type { Clock } from "../runtime/clock.ts";
import { createWakeup } from "../runtime/wakeup.ts";
import type { Log } from "./log.ts";

export interface TidyingOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly retainHours: () => number;
  readonly onFatal: (error: unknown) => void;
}

const EVERY_MS = 60_000;
const HOUR_MS = 3_600_000;
/** Between two goes at least this, however often the buffer runs empty. */
const REST_MS = 1000;

export function startTidying({ log, clock, retainHours, onFatal }: TidyingOptions) {
  const stopping = new AbortController();
  const empty = createWakeup(clock);
  let emptied = false;
  log.onChange(() => {
    if (emptied || log.ledger().pending > 0) return;
    emptied = true;
    empty.wake();
  });
  const tidy = async () => {
    for (let more = true; more && !stopping.signal.aborted; ) {
      const outcome = await log.tidy({ retainMs: retainHours() * HOUR_MS });
      more = outcome.kind === "tidied" && outcome.more;
    }
  };
  const loop = async () => {
    while (!stopping.signal.aborted) {
      emptied = false;
      await tidy();
      await clock.sleep(REST_MS, stopping.signal);
      if (!emptied) await empty.wait(EVERY_MS, stopping.signal);
    }
  };
  const running = loop().catch(onFatal);
  return {
    /** Tidies now, to the end. */
    tidy,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
