/** What the uploader knows about its destination, for status, metrics and the log file. */
import type { Verdict } from "../../shared/verdict.ts";
import type { Clock } from "../runtime/clock.ts";
import type { GateState } from "./gate.ts";
import type { OutageLog } from "./outage.ts";
import type { ExchangeResult } from "./transport.ts";

export type DestinationState = "ok" | "backing_off" | "paused" | "unreachable";

export interface DestinationStatus {
  readonly state: DestinationState;
  readonly last_error: string | null;
  readonly next_attempt_s: number | null;
}

export interface UploadCounts {
  /**
   * Calls by verdict, those without an answer by its reason; `connection_closed` are the first tries of calls that
   * met a kept connection as it was closed.
   */
  readonly attempts: ReadonlyMap<string, number>;
  /** Bytes of JSON sent, before compression, repeats included. */
  readonly bytes: number;
}

export interface Health {
  attempt(bytes: number): void;
  judged(verdict: Verdict, result: ExchangeResult): void;
  /** A shipment came to its end. */
  settled(): void;
  /** @param until on the clock's tick. */
  backingOff(until: number): void;
  /** True since a call got no answer, until one does. */
  readonly unreachable: boolean;
  counts(): UploadCounts;
  status(gate: GateState): DestinationStatus;
}

/** @param isTroubled whether some lane backs off: then a call of another that goes through ends no outage. */
export function createHealth(
  clock: Clock,
  outage: OutageLog,
  isTroubled: () => boolean,
  onAnswerAgain: () => void,
): Health {
  const attempts = new Map<string, number>();
  let bytes = 0;
  let unreachable = false;
  let lastError: string | null = null;
  let retryAt: number | null = null;
  const count = (name: string) => attempts.set(name, (attempts.get(name) ?? 0) + 1);
  return {
    attempt(sent) {
      bytes += sent;
    },
    judged(verdict, result) {
      count(result.kind === "no-response" ? result.reason : verdict.kind);
      if (result.kind === "answer" && result.repeated) count("connection_closed");
      if (result.kind === "answer" && unreachable) {
        unreachable = false;
        onAnswerAgain();
      }
      if (result.kind === "no-response") unreachable = true;
      lastError = errorOf(verdict, result);
      if (lastError !== null) {
        outage.failed(verdict.kind === "pause" ? "paused" : unreachable ? "unreachable" : "backing_off", lastError);
        return;
      }
      retryAt = null;
      // That a lane is refused there says nothing of whether the others go through.
      if (verdict.kind !== "pause" && !isTroubled()) outage.passed();
    },
    settled() {
      if (lastError === null && !isTroubled()) outage.passed();
    },
    backingOff(until) {
      retryAt = retryAt === null || retryAt <= clock.tick() ? until : Math.min(retryAt, until);
    },
    get unreachable() {
      return unreachable;
    },
    counts: () => ({ attempts, bytes }),
    status(gate) {
      const seconds = (ms: number) => Math.ceil(Math.max(0, ms) / 100) / 10;
      if (gate.kind === "paused") {
        return { state: "paused", last_error: lastError, next_attempt_s: seconds(gate.nextMs) };
      }
      if (gate.kind === "quiet") {
        return { state: "backing_off", last_error: lastError, next_attempt_s: seconds(gate.nextMs) };
      }
      if (lastError === null) return { state: "ok", last_error: null, next_attempt_s: null };
      const next = retryAt === null ? 0 : retryAt - clock.tick();
      const state = unreachable ? "unreachable" : "backing_off";
      return { state, last_error: lastError, next_attempt_s: seconds(next) };
    },
  };
}

/** In words, or null where the destination did what it should, refusing an event included. */
function errorOf(verdict: Verdict, result: ExchangeResult): string | null {
  if (result.kind === "no-response") return `${result.reason}: ${result.message}`;
  if (result.kind === "aborted") return null;
  const { status } = result;
  switch (verdict.kind) {
    case "retry":
      return status < 300 ? `${status} without a body that accounts for the events sent` : `answered ${status}`;
    case "wait":
      return `answered ${status}`;
    case "pause":
      // A lane that is refused is that lane's trouble.
      return verdict.holds !== "lane" ? `answered ${status}` : null;
    default:
      return null;
  }
}
