/** One line in the log when uploads begin to fail, one now and then while they do, one when they go through again. */
import type { Logger } from "pino";
import type { Clock } from "../runtime/clock.ts";

export interface OutageLog {
  /** A call ended with the destination's trouble. */
  failed(state: "backing_off" | "paused" | "unreachable", reason: string): void;
  /** A call ended as it should. */
  passed(): void;
}

const REMIND_MS = 60_000;

export function createOutageLog(logger: Logger, clock: Clock): OutageLog {
  let outage: { readonly since: number; attempts: number; remindAt: number; state: string } | null = null;
  const lasted = (since: number) => Math.round((clock.tick() - since) / 1000);
  return {
    failed(state, reason) {
      const at = clock.tick();
      if (outage === null) {
        outage = { since: at, attempts: 1, remindAt: at + REMIND_MS, state };
        tell(state, { state, reason }, "uploads fail; events are kept");
        return;
      }
      outage.attempts++;
      // A pause needs a person, so it is told even in the middle of another trouble.
      const worse = state === "paused" && outage.state !== "paused";
      outage.state = state;
      if (!worse && at < outage.remindAt) return;
      outage.remindAt = at + REMIND_MS;
      const { attempts, since } = outage;
      tell(state, { state, reason, attempts, for_s: lasted(since) }, "uploads still fail; events are kept");
    },
    passed() {
      if (outage === null) return;
      const { attempts, since } = outage;
      outage = null;
      logger.info({ attempts, for_s: lasted(since) }, "uploads go through again");
    },
  };

  function tell(state: string, fields: object, text: string): void {
    if (state === "paused") logger.error(fields, text);
    else logger.warn(fields, text);
  }
}
