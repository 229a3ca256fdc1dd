/** Plays a history on the real core and on the model, and holds the one to the other after every step. */
import { deepStrictEqual, ok } from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { ReleaseResult } from "../../../agent/operator/quarantine.ts";
import { type FakeClock, fakeClock } from "../support/fake-clock.ts";
import type { Filler } from "../support/small-disk.ts";
import type { ModelRequest } from "./agent-model.ts";
import { callOf, createChecker } from "./checker.ts";
import { eventText } from "./event-text.ts";
import type { DrawnRequest, History, Step } from "./steps.ts";
import { createSubject, type OpenCall, type Subject } from "./subject.ts";

export interface Place {
  /** A folder that may be removed. */
  readonly directory: string;
  /** Where there is room for a copy of the buffer. */
  readonly scratch: string;
  /** What fills the disk that `directory` is on; null where it cannot be filled. */
  readonly filler: Filler | null;
}

/** @throws AssertionError where the agent is not what the model says. */
export async function play(history: History, place: Place): Promise<void> {
  const directory = join(place.directory, "buffer");
  const grave = join(place.scratch, "grave");
  const clock = fakeClock();
  const { concurrency, batchEvents } = history;
  const subject = createSubject({ directory, grave, clock, concurrency, batchEvents });
  await subject.start();
  const player = createPlayer({ subject, clock, filler: place.filler, concurrency });
  try {
    await player.step({ do: "wait", ms: 60, dies: null });
    for (const step of history.steps) await player.step(step);
    await player.finish();
  } finally {
    place.filler?.empty();
    await subject.stop();
    for (const path of [directory, grave]) rmSync(path, { recursive: true, force: true });
  }
}

interface PlayerOptions {
  readonly subject: Subject;
  readonly clock: FakeClock;
  readonly filler: Filler | null;
  readonly concurrency: number;
}

/** Longer than events linger, and than a backoff may be. */
const MOMENTS = [60, 1100];
/** Calls answered at most until everything has to have arrived. */
const CALLS_TO_DRAIN = 2000;

function createPlayer({ subject, clock, filler, concurrency }: PlayerOptions) {
  const checker = createChecker({ subject, clock, concurrency });
  const { model, edge, producer, disk, rest, answer, compare, audit, forgetWhatIsOpen } = checker;
  let drawn = 0;
  let days = 0;

  /** What was posted without a key, the newest first. */
  const bodies: (readonly string[])[] = [];

  const requestOf = ({ meter, entity, lenient, key, kinds, repeats }: DrawnRequest): ModelRequest => {
    const before = key === null && repeats !== null ? bodies[repeats % Math.max(1, bodies.length)] : undefined;
    if (before !== undefined) return { stream: `usage/${meter}`, entity, texts: before, lenient, key: null };
    const texts = kinds.map((kind, index) => {
      if (key === null) return eventText(kind, ++drawn);
      return eventText("good", 1000 * key.name + index + (key.changed === index ? 100_000 : 0));
    });
    if (key === null) bodies.unshift(texts);
    return { stream: `usage/${meter}`, entity, texts, lenient, key: key === null ? null : `${days}-${key.name}` };
  };

  /** The call that waits longest; where there is none, a moment passes in which one may go out. */
  const nextCall = async (): Promise<OpenCall | null> => {
    for (const ms of MOMENTS) {
      const [next] = subject.line();
      if (next !== undefined || subject.died) return subject.died ? null : (next ?? null);
      await clock.advance(ms);
      await rest();
    }
    return subject.line()[0] ?? null;
  };

  const act = async (step: Step): Promise<void> => {
    switch (step.do) {
      case "append":
        await checker.post(step.requests.map(requestOf));
        break;
      case "send":
        for (const treatment of step.treatments) {
          const next = await nextCall();
          if (next === null) break;
          answer(next, treatment);
          await rest();
        }
        break;
      case "wait":
        await clock.advance(step.ms);
        break;
      case "wait a day":
        // Nothing is dropped for age; keys and what is kept for an audit may be, so these are new from here on.
        days++;
        await clock.advance(25 * 3_600_000);
        await rest();
        model.age();
        break;
      case "retry":
      case "discard": {
        const id = 1 + (step.nth % (model.entryCount() + 1));
        const { quarantine } = subject.core();
        const text = step.do === "retry" && step.corrected !== null ? eventText(step.corrected, ++drawn) : null;
        const deed =
          step.do === "retry"
            ? quarantine.retry(id, text === null ? null : Buffer.from(text))
            : quarantine.discard(id, `reason ${step.nth}`);
        const result = await deed.catch((error: unknown) => {
          if (!subject.died) throw error;
          return null;
        });
        if (result !== null) checkUnwritten(result, id, text);
        break;
      }
      case "lose":
        edge.lose(step.nth);
        break;
      case "audit and repair":
        for (const { stream, missing, last } of await audit()) {
          await subject
            .core()
            .resend(stream, step.everything ? [[1, last]] : missing)
            .catch((error: unknown) => {
              if (!subject.died) throw error;
            });
          if (subject.died) break;
        }
        break;
      case "hangup signal":
        checker.probe();
        break;
      case "restart":
        await restart(step.dies);
        break;
      case "kill":
        // What is under way may arrive yet, though nobody hears of it.
        if (step.taken) for (const open of subject.line()) edge.answer(callOf(open), { kind: "as-due" });
        subject.kill();
        break;
      case "fill the disk":
        filler?.fill(step.leave);
        disk.reserveTaken = disk.full;
        disk.full = true;
        break;
      case "empty the disk":
        await emptyDisk();
        break;
      case "the destination relents":
        edge.relent();
    }
  };

  /** What the log is never asked about, the model is: an unknown entry, a correction that is wrong. */
  const checkUnwritten = ({ kind }: ReleaseResult, id: number, text: string | null): void => {
    if (kind === "unknown" || kind === "invalid") deepStrictEqual(model.retry(id, text), kind);
  };

  const restart = async (dies: "opened" | "before-close" | null): Promise<void> => {
    if (dies === "before-close") subject.arm({ point: dies, nth: 0 });
    await subject.stop();
    checker.applyWritten();
    forgetWhatIsOpen();
    if (subject.died) return;
    if (dies === "opened") subject.arm({ point: dies, nth: 0 });
    try {
      await subject.start();
    } catch (error) {
      if (!subject.died) throw error;
      return;
    }
    deepStrictEqual(subject.core().log.producer, producer);
  };

  /** Room that returns is used within ten seconds. */
  const emptyDisk = async (): Promise<void> => {
    filler?.empty();
    for (let second = 0; second < 10; second++) {
      await clock.advance(1000);
      await rest();
      // Somebody has to ask for the reserve to be looked after; an agent without any work has no need of it.
      await subject.core().log.oldest();
    }
    disk.full = false;
    disk.reserveTaken = false;
  };

  const step = async (next: Step): Promise<void> => {
    if ("dies" in next && next.do !== "restart" && !disk.full) subject.arm(next.dies);
    await act(next);
    await rest();
    subject.arm(null);
    await compare();
  };

  const drain = async (): Promise<void> => {
    for (let calls = 0; subject.core().log.ledger().pending > 0; calls++) {
      ok(calls < CALLS_TO_DRAIN, "it does not drain");
      const next = await nextCall();
      if (next !== null) answer(next, { kind: "as-due" });
      await rest();
    }
    await compare();
  };

  return {
    step,
    /**
     * With room and treated as is due everything that was answered for arrives, or is held, or was given up on record;
     * and it arrives once more where the destination loses it all.
     */
    async finish(): Promise<void> {
      await step({ do: "empty the disk" });
      await step({ do: "append", requests: [ORDINARY], dies: null });
      await drain();
      edge.lose(1);
      await step({ do: "audit and repair", everything: false, dies: null });
      await drain();
      deepStrictEqual(await subject.core().log.verify(), []);
    },
  };
}

const ORDINARY: DrawnRequest = { meter: "a", entity: null, lenient: false, key: null, kinds: ["good"], repeats: null };
