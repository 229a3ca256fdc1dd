/** The one gate before a destination: every call passes it, so that a wait or a pause holds for all of them. */
import type { Clock } from "../runtime/clock.ts";
import { createWakeup } from "../runtime/wakeup.ts";

export interface Gate {
  /** Resolves once a call may go out; false when `signal` was aborted before. */
  enter(signal: AbortSignal): Promise<boolean>;
  /** For a call that is let in already: resolves once no quiet is asked for; false when `signal` was aborted. */
  calm(signal: AbortSignal): Promise<boolean>;
  /** The destination asked for quiet: nothing goes out before `ms` have passed. */
  quiet(ms: number): void;
  /** Only a person can mend it: one probe each `probeMs`, nothing else. */
  pause(probeMs: number): void;
  /** The destination answered a call as one that is let in. */
  reopen(): void;
  /** A call ended without saying anything about a pause; a probe that did so is tried again later. */
  postpone(probeMs: number): void;
  /** Lets a probe through at once. */
  probe(): void;
  state(): GateState;
}

export type GateState =
  | { readonly kind: "open" }
  | { readonly kind: "quiet"; readonly nextMs: number }
  | { readonly kind: "paused"; readonly nextMs: number };

export function createGate(clock: Clock): Gate {
  const wakeup = createWakeup(clock);
  let quietUntil = 0;
  let nextProbe: number | null = null;
  let probing = false;

  const openIn = (): number => {
    const quietMs = quietUntil - clock.tick();
    if (nextProbe === null || quietMs > 0) return quietMs;
    return probing ? Number.POSITIVE_INFINITY : nextProbe - clock.tick();
  };

  return {
    async enter(signal) {
      for (;;) {
        if (signal.aborted) return false;
        const waitMs = openIn();
        if (waitMs <= 0) {
          probing = nextProbe !== null;
          return true;
        }
        await wakeup.wait(Math.ceil(waitMs), signal);
      }
    },
    async calm(signal) {
      for (let waitMs = quietUntil - clock.tick(); waitMs > 0; waitMs = quietUntil - clock.tick()) {
        if (signal.aborted) return false;
        await wakeup.wait(Math.ceil(waitMs), signal);
      }
      return !signal.aborted;
    },
    quiet(ms) {
      quietUntil = Math.max(quietUntil, clock.tick() + ms);
      wakeup.wake();
    },
    pause(probeMs) {
      nextProbe = clock.tick() + probeMs;
      probing = false;
      wakeup.wake();
    },
    reopen() {
      if (nextProbe === null) return;
      nextProbe = null;
      probing = false;
      wakeup.wake();
    },
    postpone(probeMs) {
      if (nextProbe !== null) this.pause(probeMs);
    },
    probe() {
      if (nextProbe === null) return;
      nextProbe = clock.tick();
      wakeup.wake();
    },
    state() {
      const nextMs = Math.max(0, openIn());
      if (nextProbe !== null) return { kind: "paused", nextMs: Number.isFinite(nextMs) ? nextMs : 0 };
      return nextMs > 0 ? { kind: "quiet", nextMs } : { kind: "open" };
    },
  };
}
