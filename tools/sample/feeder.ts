/**
 * Sends events to the agent the way a careful service would: each body under an Idempotency-Key of its own,
 * repeated until it is answered. A body whose answer was lost is told from a new one by its key, so nothing is
 * doubled however often it is sent.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { retryAfterMs } from "../../shared/backoff.ts";

const RETRY_MS = 250;
const TIMEOUT_MS = 10_000;

export interface FeedOptions {
  /** Where to post. */
  readonly url: string;
  readonly lines: readonly string[];
  /** Lines before this index were fed earlier. */
  readonly from?: number;
  readonly bodyEvents: number;
  readonly eventsPerSecond: number;
  /** Begins each body's key; the index of its first line follows. */
  readonly keyPrefix: string;
  readonly signal: AbortSignal;
  /** Called when a body is on its way, unanswered. */
  readonly onSent?: (firstIndex: number) => void;
  /** Called when a body is accepted: all lines before `fed` are safe. */
  readonly onAccepted?: (fed: number) => void;
}

export interface FeedReport {
  readonly fed: number;
  /** Bodies sent again because no answer came. */
  readonly repeated: number;
  /** Events that the agent had accepted already when they came again. */
  readonly duplicates: number;
}

type PostOutcome =
  | { readonly kind: "accepted"; readonly duplicates: number }
  /** No answer: perhaps accepted, perhaps not. */
  | { readonly kind: "unclear" }
  /** Not accepted, and asked to wait. */
  | { readonly kind: "later"; readonly waitMs: number }
  | { readonly kind: "refused"; readonly message: string };

/** Feeds until the last line is accepted or the signal aborts. Throws when the agent refuses a body for good. */
export async function feed(options: FeedOptions): Promise<FeedReport> {
  const { lines, bodyEvents, eventsPerSecond, keyPrefix, signal } = options;
  let fed = options.from ?? 0;
  let repeated = 0;
  let duplicates = 0;
  while (fed < lines.length && !signal.aborted) {
    const first = fed;
    const startedAt = performance.now();
    const body = lines.slice(first, first + bodyEvents);
    const outcome = await post(options, `${keyPrefix}-${first}`, body, first);
    if (outcome.kind === "refused") throw new Error(outcome.message);
    if (outcome.kind === "accepted") {
      duplicates += outcome.duplicates;
      fed += body.length;
      options.onAccepted?.(fed);
      await pause((body.length * 1000) / eventsPerSecond - (performance.now() - startedAt), signal);
    } else {
      if (outcome.kind === "unclear") repeated++;
      await pause(outcome.kind === "later" ? outcome.waitMs : RETRY_MS, signal);
    }
  }
  return { fed, repeated, duplicates };
}

async function post(
  { url, signal, onSent }: FeedOptions,
  key: string,
  lines: readonly string[],
  first: number,
): Promise<PostOutcome> {
  try {
    const answered = fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": key },
      body: `[${lines.join(",")}]`,
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    onSent?.(first);
    const answer = await answered;
    const text = await answer.text();
    if (answer.ok) return { kind: "accepted", duplicates: duplicatesOf(text) };
    if (answer.status === 429 || answer.status >= 500) {
      return { kind: "later", waitMs: retryAfterMs(answer.headers.get("retry-after"), Date.now()) ?? RETRY_MS };
    }
    return { kind: "refused", message: `the agent refused a body: ${answer.status} ${text}` };
  } catch {
    return { kind: "unclear" };
  }
}

function duplicatesOf(answer: string): number {
  const { duplicates } = JSON.parse(answer) as { duplicates?: unknown };
  return typeof duplicates === "number" ? duplicates : 0;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return;
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
