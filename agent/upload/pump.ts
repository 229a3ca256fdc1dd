/** The loop that sends what waits as long as calls may go, and rests until something does. */
import type { Log } from "../buffer/log.ts";
import type { Clock } from "../runtime/clock.ts";
import { createWakeup } from "../runtime/wakeup.ts";
import type { Lanes, Picked } from "./lanes.ts";
import type { Packing } from "./packing.ts";
import type { Sending } from "./sending.ts";
import type { UploadSettings } from "./settings.ts";

/** Longest rest of an idle uploader; anything that happens wakes it before. */
const IDLE_MS = 60_000;

/** Whether something has happened since the loop last looked. */
export interface Readiness {
  readonly wake: () => void;
  /** What happens from here on is news. */
  look(): void;
  /** Rests so long, or until there is news. */
  rest(ms: number, signal: AbortSignal): Promise<void>;
}

export function createReadiness(clock: Clock): Readiness {
  const wakeup = createWakeup(clock);
  let isReady = true;
  return {
    wake() {
      isReady = true;
      wakeup.wake();
    },
    look() {
      isReady = false;
    },
    async rest(ms, signal) {
      if (!isReady) await wakeup.wait(Math.ceil(ms), signal);
    },
  };
}

export interface PumpParts {
  readonly log: Log;
  readonly clock: Clock;
  readonly settings: () => UploadSettings;
  readonly readiness: Readiness;
  readonly lanes: Lanes;
  readonly packing: Packing;
  readonly sending: Sending;
  /** Packs and launches one shipment of what was picked. */
  readonly sendNext: (picked: Extract<Picked, { kind: "send" }>) => Promise<void>;
}

/** Runs until `signal` is aborted. */
export async function pump(parts: PumpParts, signal: AbortSignal): Promise<void> {
  const { log, clock, settings, readiness, lanes, packing, sending, sendNext } = parts;
  await packing.recover();
  for (const { stream } of log.streams()) lanes.notice(stream);
  while (!signal.aborted) {
    readiness.look();
    const remindAt = lanes.remind();
    const picked = sending.calling < settings().concurrency ? lanes.pick() : null;
    if (picked?.kind === "send") {
      await sendNext(picked);
      continue;
    }
    const untilTick = Math.min(remindAt, picked?.untilTick ?? Number.POSITIVE_INFINITY);
    await readiness.rest(Math.min(IDLE_MS, Math.max(0, untilTick - clock.tick())), signal);
  }
}
