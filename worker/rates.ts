/** How many requests each key or client has sent, or each destination was sent, this minute, as one instance counts them. */

const MINUTE_MS = 60_000;

export interface Turn {
  readonly allowed: boolean;
  readonly remaining: number;
  /** Whole seconds until the next minute begins, 1 to 60. */
  readonly resetSeconds: number;
}

/** Names counted in one minute; those beyond share one count, so that names made up at random take no memory. */
const NAMES_MAX = 20_000;
const OTHERS = "";

/** Counts by clock minute; what an earlier minute counted is forgotten. */
export class Rates {
  private minute = 0;
  private readonly counts = new Map<string, number>();

  /** @param given what is counted: a key, a client, an address, a destination. */
  take(given: string, limit: number, nowMs: number): Turn {
    const minute = Math.floor(nowMs / MINUTE_MS);
    if (minute !== this.minute) {
      this.minute = minute;
      this.counts.clear();
    }
    const name = this.counts.has(given) || this.counts.size < NAMES_MAX ? given : OTHERS;
    const count = (this.counts.get(name) ?? 0) + 1;
    this.counts.set(name, count);
    const resetSeconds = Math.max(1, Math.ceil(((minute + 1) * MINUTE_MS - nowMs) / 1000));
    return { allowed: count <= limit, remaining: Math.max(0, limit - count), resetSeconds };
  }

  /** When the next may be taken (milliseconds since 1970); 0 for at once. */
  freeAt(keyId: string, limit: number, nowMs: number): number {
    const minute = Math.floor(nowMs / MINUTE_MS);
    const isFull = minute === this.minute && (this.counts.get(keyId) ?? 0) >= limit;
    return isFull ? (minute + 1) * MINUTE_MS : 0;
  }
}
