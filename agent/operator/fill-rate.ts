/** How long the buffer lasts at the rate it has been filling lately. */
import type { Log } from "../buffer/log.ts";
import type { Clock } from "../runtime/clock.ts";

const EVERY_MS = 5_000;
/** Long enough to even out bursts. */
const WINDOW_MS = 600_000;
const HOUR_MS = 3_600_000;
/** Ten years: beyond them a figure tells nothing. */
const HOURS_MAX = 87_600;

export interface FillRate {
  /** Null while the buffer is not filling, hardly so, or has not been watched for long enough. */
  hoursLeft(freeBytes: number): number | null;
}

export function watchFillRate(log: Log, clock: Clock): FillRate {
  const samples: { at: number; bytes: number }[] = [];
  const pendingBytes = () => [...log.streams()].reduce((sum, stream) => sum + stream.pendingBytes, 0);
  /** Keeps the latest sample that is at least as old as the window, so that a quiet time counts as one. */
  const forget = (at: number) => {
    while (samples[1] !== undefined && samples[1].at <= at - WINDOW_MS) samples.shift();
  };
  const sample = () => {
    const at = clock.tick();
    const last = samples.at(-1);
    if (last !== undefined && at - last.at < EVERY_MS) return;
    samples.push({ at, bytes: pendingBytes() });
    forget(at);
  };
  sample();
  log.onChange(sample);
  return {
    hoursLeft(freeBytes) {
      const now = clock.tick();
      forget(now);
      const [first] = samples;
      const elapsed = first === undefined ? 0 : now - first.at;
      const grown = first === undefined ? 0 : pendingBytes() - first.bytes;
      if (elapsed < EVERY_MS || grown <= 0) return null;
      const hours = (Math.max(0, freeBytes) * elapsed) / grown / HOUR_MS;
      return hours > HOURS_MAX ? null : Math.round(hours * 10) / 10;
    },
  };
}
