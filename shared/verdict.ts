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
      /**
       * Of a 2xx: whether its body accounts for the events sent, by what its vendor documents as success. "some": a
       * part of them is refused, and it is not said which. "none": whatever it was, it proves nothing.
       */
      readonly accounted: "all" | "some" | "none";
    }
  /** The request may or may not have been accepted. */
  | { readonly kind: "no-response"; readonly reason: "network" | "timeout" };

export type Verdict =
  | { readonly kind: "delivered" }
  /** Too large as it is: halve it; a single event goes to quarantine. */
  | { readonly kind: "split" }
  /** Nothing to this destination before `waitMs` have passed. */
  | { readonly kind: "wait"; readonly waitMs: number; readonly holds: "destination" }
  /** Only a person can mend it: keep everything, probe now and then. */
  | { readonly kind: "pause"; readonly holds: Hold }
  /** Passing trouble: the same call again after a backoff, without end, and not before `atLeastMs` have passed. */
  | { readonly kind: "retry"; readonly atLeastMs: number }
  /** Some event in it is rejected: halve until it stands alone, quarantine it, deliver the rest. */
  | { readonly kind: "bisect" };

/** How far a pause reaches: all calls with the same credentials, or those of one stream with the same ids headers. */
export type Hold = "credentials" | "lane";

export interface CallHistory {
  /** An earlier attempt of this very call ended without an answer, so it may have been accepted. */
  readonly outcomeUnknown: boolean;
}

/**
 * @param nowMs the time the answer came in, for a Retry-After that is a date.
 */
export function decide(result: CallResult, history: CallHistory, nowMs: number): Verdict {
  if (result.kind === "no-response") return RETRY;
  const { status } = result;
  if (isSuccess(status)) return BY_ACCOUNT[result.accounted];
  if (status === 413) return { kind: "split" };
  if (status === 429) {
    const waitMs = retryAfterMs(result.retryAfter, nowMs);
    return waitMs === null ? RETRY : { kind: "wait", waitMs, holds: "destination" };
  }
  // One meter or account that is out of order answers it too, so that it makes nobody wait whom a 500 would not.
  if (status === 503 || status === 507)
    return { kind: "retry", atLeastMs: retryAfterMs(result.retryAfter, nowMs) ?? 0 };
  if (status === 401) return { kind: "pause", holds: "credentials" };
  // The call's own first try, whose answer was lost, is what it conflicts with: it was accepted.
  if (status === 409 && history.outcomeUnknown) return { kind: "delivered" };
  if (status === 400 || status === 409 || status === 422) return { kind: "bisect" };
  if (status === 408 || status === 425 || status < 400 || status >= 500) return RETRY;
  // 403, 404, 431 and their kin blame the address, the ids or who may use them, not an event: quarantining every event
  // would only move the damage. Nor do they blame others: a stream with other ids may pass.
  return { kind: "pause", holds: "lane" };
}

const RETRY: Verdict = { kind: "retry", atLeastMs: 0 };

/** A 2xx that proves nothing is no answer: what sent it may be a proxy, and the events still have to arrive. */
const BY_ACCOUNT: Record<(CallResult & { kind: "answer" })["accounted"], Verdict> = {
  all: { kind: "delivered" },
  some: { kind: "bisect" },
  none: RETRY,
};

/** Whether a call may have been accepted though it is not known to be: no response, or a success that proves nothing. */
export function leavesDoubt(
  result: { readonly kind: "no-response" } | { readonly kind: "answer"; readonly status: number },
): boolean {
  return result.kind === "no-response" || isSuccess(result.status);
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
