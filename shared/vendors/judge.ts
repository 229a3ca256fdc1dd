/** From a response to a verdict: the vendor reads it, the one decider decides. */
import { type CallHistory, type CallResult, decide, type Verdict } from "../verdict.ts";
import type { Conflict, Vendor, VendorResponse } from "./vendor.ts";

export interface Judgement {
  readonly verdict: Verdict;
  /** Events of a delivered call that the vendor has with other content. */
  readonly conflicts: readonly Conflict[];
}

type VendorRules = Pick<Vendor, "readSuccess" | "repeatsKnownBy">;

/**
 * What a response means for the call of `sent` events that got it.
 * @param nowMs this machine's time, for a Retry-After date from a server that does not tell its own.
 */
export function judge(
  vendor: VendorRules,
  response: VendorResponse,
  sent: number,
  history: CallHistory,
  nowMs: number,
): Judgement {
  // Where repeats are folded by position, an earlier attempt without a response never makes a 409 a success.
  const known = vendor.repeatsKnownBy === "position" ? { outcomeUnknown: false } : history;
  if (response.kind === "no-response") return { verdict: decide(response, known, nowMs), conflicts: [] };
  const { status, retryAfter, dateMs } = response;
  const isSuccess = status >= 200 && status < 300;
  const { accounted, conflicts } = isSuccess ? vendor.readSuccess(response, sent) : NOTHING;
  const result: CallResult = { kind: "answer", status, retryAfter, accounted };
  // A date that a server names is a date by its own clock, however wrong ours is.
  return { verdict: decide(result, known, dateMs ?? nowMs), conflicts };
}

const NOTHING = { accounted: "none", conflicts: [] } as const;
