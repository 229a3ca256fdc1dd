/**
 * Messages about streams with pending work. A message brings an invocation and costs as much as an event or more, so that
 * what a message under way will find anyhow sends none. None is needed for certain: the sweep finds what no message tells of.
 */
import type { WallClock } from "../shared/clock.ts";
import type { Nudge } from "./env.ts";
import { Remembered } from "./remembered.ts";

export interface Nudges {
  /**
   * Has a stream looked at after a delay; not where an earlier look is under way, which sees to what follows.
   * Never fails: see above.
   */
  nudge(tenant: string, stream: string, delaySeconds?: number): Promise<void>;
  /**
   * Something of a lane of a stream is pending from now on. The first message goes at once, about this lane; one a second later
   * of all that comes meanwhile, whichever lanes that is of.
   */
  nudgePending(tenant: string, stream: string, context?: string): Promise<void>;
}

export interface NudgesHost {
  readonly clock: WallClock;
  send(nudge: Nudge, delaySeconds: number): Promise<unknown>;
  /** Tells that a message was lost. */
  tell(cause: unknown, stream: string): void;
}

/** A queue's shortest delay but none, for what comes within so long of a message that went at once. */
const GATHER_SECONDS = 1;
const GATHER_MS = 1_000 * GATHER_SECONDS;
/** A queue counts delays in seconds of its own: a message may come so much early. */
const EARLY_MS = 250;
const STREAMS_REMEMBERED_MAX = 10_000;

/** When the messages of a stream come that this instance sent last: what became pending before that, they find. */
interface UnderWay {
  /** The last that was to come at once, or soon. */
  readonly soonAt: number;
  /** The last that was to come later. */
  readonly laterAt: number;
}

const NONE: UnderWay = { soonAt: 0, laterAt: 0 };

export function createNudges({ clock, send, tell }: NudgesHost): Nudges {
  const streams = new Remembered<UnderWay>(STREAMS_REMEMBERED_MAX);

  async function sendOne(nudge: Nudge, now: number, delaySeconds: number): Promise<void> {
    const key = keyOf(nudge);
    const before = streams.get(key, now) ?? NONE;
    const dueAt = now + 1_000 * delaySeconds;
    const sent = delaySeconds > GATHER_SECONDS ? { ...before, laterAt: dueAt } : { ...before, soonAt: dueAt };
    streams.set(key, sent, Math.max(sent.soonAt, sent.laterAt) + GATHER_MS);
    try {
      await send(nudge, delaySeconds);
    } catch (cause) {
      // What comes next is told of by a message of its own again.
      streams.delete(key);
      tell(cause, nudge.stream);
    }
  }

  /** Whether a message is under way that comes until then, and late enough to find what is there now. */
  function isComing(key: string, now: number, until: number): boolean {
    const { soonAt, laterAt } = streams.get(key, now) ?? NONE;
    return [soonAt, laterAt].some((at) => now < at - EARLY_MS && at <= until);
  }

  return {
    async nudge(tenant, stream, delaySeconds = 0) {
      const now = clock.now();
      const nudge = { tenant, stream };
      // Delays are whole seconds, rounded up: one that comes a second later is the same one.
      const until = now + 1_000 * delaySeconds + (delaySeconds > GATHER_SECONDS ? 1_000 : 0);
      if (!isComing(keyOf(nudge), now, until)) await sendOne(nudge, now, delaySeconds);
    },
    async nudgePending(tenant, stream, context) {
      const now = clock.now();
      const nudge = { tenant, stream };
      const key = keyOf(nudge);
      if (isComing(key, now, now + GATHER_MS)) return;
      const isSoonAfter = now - (streams.get(key, now) ?? NONE).soonAt < GATHER_MS;
      const named = context === undefined ? nudge : { ...nudge, context };
      await (isSoonAfter ? sendOne(nudge, now, GATHER_SECONDS) : sendOne(named, now, 0));
    },
  };
}

function keyOf({ tenant, stream }: Nudge): string {
  return `${tenant}\n${stream}`;
}
