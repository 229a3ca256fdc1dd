/** What docs/scale.md is reckoned from: Cloudflare's prices and limits of 2026, and rows that a test measures. */

/** Dollars. */
export const PRICES = {
  millionRowsWritten: 1,
  millionRequests: 0.3,
  millionQueueOperations: 0.4,
  gigabyteMonth: 0.75,
} as const;

/** Sent, taken and acknowledged. */
export const OPERATIONS_A_MESSAGE = 3;
/** A stream's messages are gathered: so many a second and instance at most. */
export const MESSAGES_A_SECOND_MAX = 1;
/** Of one database. */
export const DATABASE_BYTES_MAX = 10e9;
/** Of a ledger of events of 110 bytes, 1,000 a body, everything that goes with an event counted in. */
export const BYTES_AN_EVENT = 154;
/**
 * Bodies that one database takes and delivers in a second. D1 has one thread, and a write takes "several milliseconds"
 * there: five are assumed for filing a body and five for what delivering it takes. Assumed, not measured.
 */
export const BODIES_A_SECOND_MAX = 100;
/** Payload is kept for so many days after delivery. */
export const KEPT_DAYS = 30;

export const SIZES = [1, 100, 1_000] as const;
export type Size = (typeof SIZES)[number];
export const RATES = [1, 1_000, 100_000, 10_000_000] as const;

/**
 * Rows written an event, filing and delivery together, each body delivered by itself: by events in a body, from a
 * producer's positions and by events' own ids. `test/worker/scale-rows.test.ts` measures them.
 */
export const ROWS_AN_EVENT: Readonly<Record<Size, { readonly positions: number; readonly keyed: number }>> = {
  1: { positions: 15, keyed: 14 },
  100: { positions: 0.15, keyed: 1.14 },
  1000: { positions: 0.015, keyed: 1.014 },
};
