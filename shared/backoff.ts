/** How long to wait before trying again. Pure: time and random are arguments. */

export interface BackoffSettings {
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * Full jitter: anywhere between nothing and the exponential bound, so that many senders do not come back in
 * step (Marc Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015).
 * @param attempt how many attempts have failed so far, from 1.
 * @param random a number in [0, 1).
 */
export function backoffMs(attempt: number, random: number, settings: BackoffSettings): number {
  const doublings = Math.min(Math.max(attempt - 1, 0), 30);
  const bound = Math.min(settings.maxMs, settings.baseMs * 2 ** doublings);
  return Math.floor(random * bound);
}

/** No server is believed that asks for more than a day: a wrong clock there must not stop us for good. */
export const RETRY_AFTER_MAX_MS = 86_400_000;

/** Milliseconds since 1970 of a Date header in the one form that servers send (RFC 9110, section 5.6.7); else null. */
export function httpDateMs(header: string | null): number | null {
  // `Date.parse` finds a date in much else.
  if (header === null || !/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), .* GMT$/.test(header)) return null;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : at;
}

/**
 * Reads a Retry-After header in either form (RFC 9110, section 10.2.3): seconds, or an HTTP date. Several in seconds,
 * each from another on the way, come as a list: the longest keeps them all.
 * @returns milliseconds from `nowMs`, at most a day; null where there is none or it cannot be read.
 */
export function retryAfterMs(header: string | null | undefined, nowMs: number): number | null {
  const text = header?.trim();
  if (!text) return null;
  const seconds = text.split(",").map((part) => part.trim());
  if (seconds.every((part) => /^\d+(\.\d+)?$/.test(part))) {
    return Math.min(Math.ceil(Math.max(...seconds.map(Number)) * 1000), RETRY_AFTER_MAX_MS);
  }
  // `Date.parse` finds a date in any word before a number, so the weekday that opens each form is asked for.
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return null;
  // The oldest form names no zone; all three are in UTC, whatever the zone of this machine.
  const at = Date.parse(text.endsWith("GMT") ? text : `${text} GMT`);
  if (Number.isNaN(at)) return null;
  return Math.min(Math.max(0, at - nowMs), RETRY_AFTER_MAX_MS);
}
