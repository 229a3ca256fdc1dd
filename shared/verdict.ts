/**
 * What an answer from upstream means for the call that got it. One pure function decides for both senders,
 * agent to edge and edge to upstream, so that a 413 is never one thing here and another there.
 */
import { retryAfterMs } from "./backoff.ts";

/** What came back from a call. */
export type CallResult =
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly retryAfter?: string | null;
      /** False for a 2xx whose body does not account for the events sent. */
      readonly accounted?: boolean;
    }
  /** No answer: the request may or may not have been taken. */
  | { readonly kind: "no-response"; readonly reason: "network" | "timeout" };

export type Verdict =
  | { readonly kind: "delivered" }
  /** Too large as it is: halve it; a single event goes to quarantine. */
  | { readonly kind: "split" }
  /** Nothing to this destination before `waitMs` have passed. */
  | { readonly kind: "wait"; readonly waitMs: number }
  /** Only a person can mend it: keep everything, probe now and then. */
  | { readonly kind: "pause"; readonly scope: "destination" | "stream" }
  /** Passing trouble: the same call again after a backoff, without end. */
  | { readonly kind: "retry" }
  /** Some event in it is refused: halve until it stands alone, quarantine it, deliver the rest. */
  | { readonly kind: "bisect" };

export interface CallHistory {
  /** An earlier attempt of this very call ended without an answer, so it may have been taken. */
  readonly outcomeUnknown: boolean;
}

/**
 * @param nowMs the time the answer came in, for a Retry-After that is a date.
 */
export function decide(result: CallResult, history: CallHistory, nowMs: number): Verdict {
  if (result.kind === "no-response") return { kind: "retry" };
  const { status } = result;
  if (status >= 200 && status < 300) return result.accounted === false ? { kind: "retry" } : { kind: "delivered" };
  if (status === 413) return { kind: "split" };
  if (status === 429 || status === 503) {
    const waitMs = retryAfterMs(result.retryAfter, nowMs);
    return waitMs === null ? { kind: "retry" } : { kind: "wait", waitMs };
  }
  if (status === 401 || status === 403) return { kind: "pause", scope: "destination" };
  // The call's own first try, whose answer was lost, is what it conflicts with: it was taken.
  if (status === 409 && history.outcomeUnknown) return { kind: "delivered" };
  if (status === 400 || status === 409 || status === 422) return { kind: "bisect" };
  if (status === 408 || status === 425 || status < 400 || status >= 500) return { kind: "retry" };
  // 404 and its kin (405, 410, 415, …) blame the address, not an event: quarantining every event would only
  // move the damage.
  return { kind: "pause", scope: "stream" };
}
