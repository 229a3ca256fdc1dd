/** Judges a vendor's answers: they name no events, so a success is one that its own body does not deny. */
import { type CallHistory, decide } from "../../shared/verdict.ts";
import type { Judgement } from "./dialect.ts";
import type { ExchangeResult } from "./transport.ts";

export function judgeVendor(
  result: ExchangeResult & { kind: "answer" | "no-response" },
  history: CallHistory,
  nowMs: number,
): Judgement {
  if (result.kind === "no-response") return { verdict: decide(result, history, nowMs), conflicts: [] };
  const { status, retryAfter, body } = result;
  return {
    verdict: decide({ kind: "answer", status, retryAfter, accounted: isSuccess(body) }, history, nowMs),
    conflicts: [],
  };
}

/** A JSON object that says nothing against it: a proxy's page must not pass for the vendor's word. */
function isSuccess(body: string | null): boolean {
  try {
    const parsed: unknown = JSON.parse(body ?? "");
    return typeof parsed === "object" && parsed !== null && !("success" in parsed && parsed.success === false);
  } catch {
    return false;
  }
}
