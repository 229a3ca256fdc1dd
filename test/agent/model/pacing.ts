/** When an agent may call: never more at once than it is told to, never in a quiet it was asked for, paused by one probe at a time. */

export interface Pacing {
  /** A call has gone out; what is wrong with that, or null. */
  out(nowMs: number): string | null;
  /** A call has been answered, null by no response. */
  answered(
    nowMs: number,
    answer: { readonly status: number; readonly retryAfterS: number | null; readonly accounted: boolean } | null,
  ): void;
  /** A person has asked for a try. */
  probe(nowMs: number): void;
}

export interface PacingOptions {
  readonly callsMax: number;
  /** Between two tries of a destination that does not let the agent in. */
  readonly probeMs: number;
}

export function createPacing({ callsMax, probeMs }: PacingOptions): Pacing {
  let underway = 0;
  let quietUntil = 0;
  let pause: { nextProbe: number; probing: boolean } | null = null;
  return {
    out(nowMs) {
      underway++;
      if (underway > callsMax) return `${underway} calls are under way at once`;
      if (nowMs < quietUntil) return `a call went out ${quietUntil - nowMs} ms before it was wanted`;
      if (pause === null) return null;
      if (pause.probing) return "a call went out beside the probe of a paused destination";
      if (nowMs < pause.nextProbe) return `a call went out ${pause.nextProbe - nowMs} ms before the next probe`;
      pause.probing = true;
      return null;
    },
    answered(nowMs, answer) {
      underway--;
      if (answer?.status === 401) {
        pause = { nextProbe: nowMs + probeMs, probing: false };
        return;
      }
      // What a 503 asks for holds the call that met it, no other.
      const asked = answer?.status === 429 ? answer.retryAfterS : null;
      if (asked !== null) quietUntil = Math.max(quietUntil, nowMs + asked * 1000);
      // Trouble says nothing about being let in; any other answer ends a pause.
      const trouble =
        asked === null && (answer === null || !answer.accounted || answer.status === 408 || answer.status >= 429);
      if (!trouble) pause = null;
      else if (pause !== null) pause = { nextProbe: nowMs + probeMs, probing: false };
    },
    probe(nowMs) {
      if (pause !== null) pause.nextProbe = nowMs;
    },
  };
}
