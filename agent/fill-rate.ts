/** How long the buffer lasts at the rate it has been filling lately. */
import type { Log } from "./buffer/log.ts";
import type { Clock } from "./clock.ts";

const EVERY_MS = 5_000;
/** Ten minutes: long enough to even out bursts. */
const SAMPLES_MAX = 120;
const HOUR_MS = 3_600_000;

export interface FillRate {
  /** Null while the buffer is not filling, or has not been watched for long enough. */
  hoursLeft(freeBytes: number): number | null;
}

export function watchFillRate(log: Log, clock: Clock): FillRate {
  const samples: { at: number; bytes: number }[] = [];
  const pendingBytes = () => [...log.streams()].reduce((sum, stream) => sum + stream.pendingBytes, 0);
  const sample = () => {
    const at = clock.tick();
    const last = samples.at(-1);
    if (last !== undefined && at - last.at < EVERY_MS) return;
    samples.push({ at, bytes: pendingBytes() });
    if (samples.length > SAMPLES_MAX) samples.shift();
  };
  sample();
  log.onChange(sample);
  return {
    hoursLeft(freeBytes) {
      const [first] = samples;
      const elapsed = first === undefined ? 0 : clock.tick() - first.at;
      const grown = first === undefined ? 0 : pendingBytes() - first.bytes;
      if (elapsed < EVERY_MS || grown <= 0) return null;
      return Math.round(((Math.max(0, freeBytes) * elapsed) / grown / HOUR_MS) * 10) / 10;
    },
  };
}
