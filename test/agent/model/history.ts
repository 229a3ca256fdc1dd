/** Plays a history on the real core and on the model, and holds the one to the other after every step. */
import { deepStrictEqual, ok } from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { compareStream, type Range } from "../../../agent/audit.ts";
import type { AppendOperation, QuarantineReason } from "../../../agent/buffer/operations.ts";
import type { ReleaseResult } from "../../../agent/quarantine.ts";
import { VALIDATION_FAULT } from "../../../shared/fault.ts";
import { eventId } from "../../../shared/identity.ts";
import { ledgerOf } from "../support/destination.ts";
import { type FakeClock, fakeClock } from "../support/fake-clock.ts";
import type { Filler } from "../support/small-disk.ts";
import { createAgentModel, type Fate, fateOf, isSameFate, type ModelAnswer, type ModelRequest } from "./agent-model.ts";
import { createEdgeModel, type EdgeAnswer, type EdgeCall, type Weather } from "./edge-model.ts";
import { eventText } from "./event-text.ts";
import { lookAt, textsOf } from "./look.ts";
import { createManners, type Manners } from "./manners.ts";
import type { DrawnRequest, History, Step } from "./steps.ts";
import { BACKOFF_MAX_MS, createSubject, type OpenCall, type Written } from "./subject.ts";

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
  readonly subject: ReturnType<typeof createSubject>;
  readonly clock: FakeClock;
  readonly filler: Filler | null;
  readonly concurrency: number;
}

/** A client's request, until it was answered. */
interface Posted {
  readonly request: ModelRequest;
  /** What the model says to it, once it was written down. */
  expected: ModelAnswer | "full" | null;
}

/** Longer than events linger, and than a backoff may be. */
const MOMENTS = [60, 1100];
/** Calls answered at most until everything has to have arrived. */
const CALLS_TO_DRAIN = 2000;

function createPlayer({ subject, clock, filler, concurrency }: PlayerOptions) {
  const { producer } = subject.core().log;
  const model = createAgentModel();
  const edge = createEdgeModel();
  let manners = newManners();
  /** Fates that were told and are to be written down. */
  let told: Fate[] = [];
  let posted: Posted[] = [];
  let diskFull = false;
  /** Others took the room that the agent gave its reserve up for. */
  let reserveTaken = false;
  let drawn = 0;
  let days = 0;
  /** Calls that were looked at. */
  let seen = new Set<OpenCall>();
  /** Positions that were asked to be sent again and are, once somebody looks. */
  const resent: { stream: string; first: number; last: number }[] = [];

  function newManners(): Manners {
    return createManners({ callsMax: concurrency, probeMs: BACKOFF_MAX_MS });
  }

  const requestOf = ({ meter, entity, lenient, key, kinds }: DrawnRequest): ModelRequest => {
    const texts = kinds.map((kind, index) => {
      if (key === null) return eventText(kind, ++drawn);
      return eventText("good", 1000 * key.name + index + (key.changed === index ? 100_000 : 0));
    });
    return { stream: `usage/${meter}`, entity, texts, lenient, key: key === null ? null : `${days}-${key.name}` };
  };

  /** What was written down is what the model does too, in the same order. */
  const apply = ({ operation, outcome }: Written): void => {
    // Told or not, it is durable; and what would not have fitted was not tried.
    const kind = outcome?.kind;
    if (kind === "full") {
      ok(diskFull, `${operation.kind} found no room on a disk that has some`);
      if (operation.kind === "append") expectedOf(operation).expected = "full";
      return;
    }
    switch (operation.kind) {
      case "append": {
        const entry = expectedOf(operation);
        entry.expected = model.take(entry.request, (index) => reasonOfInvalid(index));
        break;
      }
      case "settle": {
        const { stream, first, count, quarantine } = operation;
        const fate = { stream, first, count, quarantine };
        const index = told.findIndex((other) => isSameFate(other, fate));
        ok(index >= 0, `a fate was written down that nobody told: ${JSON.stringify(fate)}`);
        told.splice(index, 1);
        model.settle(fate, diskFull);
        break;
      }
      case "retry": {
        const said = model.retry(operation.id, operation.event === null ? null : textOf(operation.event));
        if (kind !== undefined) deepStrictEqual(kind, said);
        break;
      }
      case "discard": {
        const said = model.discard(operation.id, operation.reason);
        if (kind !== undefined) deepStrictEqual(kind, said);
        break;
      }
      case "resend":
        resent.push(operation);
        break;
      default:
    }
  };

  const expectedOf = (operation: AppendOperation): Posted => {
    const found = posted.find(({ expected, request }) => expected === null && isOperationOf(request, operation));
    ok(found, "a body was written down that nobody posted");
    return found;
  };

  /** A call is looked at before its answer, and no later than at the end of the step it went out in. */
  const callOf = (open: OpenCall): EdgeCall => {
    const { path, headers, body } = open.exchange;
    return {
      stream: `usage/${path.split("/").at(-1)}`,
      producer: headers["weir-producer"] ?? "",
      first: Number(headers["weir-sequence"]),
      texts: textsOf(Buffer.from(body ?? "").toString("utf8")),
    };
  };
  const inspect = (): void => {
    const calls = subject.line();
    for (const open of calls) {
      if (seen.has(open)) continue;
      seen.add(open);
      const call = callOf(open);
      deepStrictEqual(call.producer, producer);
      const objection = model.objectionTo(call, open.exchange.headers["zuora-entity-ids"] ?? null);
      deepStrictEqual(objection, null);
      deepStrictEqual(manners.out(open.sentAt), null);
      for (const other of calls)
        ok(other === open || !overlaps(callOf(other), call), "an event is in two calls at once");
    }
  };

  /** Lets everything come to rest, and the model do what was done. */
  const rest = async (): Promise<void> => {
    await subject.settleDown();
    for (const written of subject.takeWritten()) apply(written);
    if (subject.died) return revive();
    for (const { stream, first, last } of resent.splice(0)) {
      const { pending } = await subject.core().log.positions(stream);
      model.resend(stream, first, last, new Set(positionsOf(pending)));
    }
    inspect();
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

  const forgetWhatIsOpen = (): void => {
    told = [];
    seen = new Set();
    manners = newManners();
  };
  const revive = async (): Promise<void> => {
    forgetWhatIsOpen();
    await subject.restartAfterDeath();
    deepStrictEqual(subject.core().log.producer, producer);
    await rest();
  };

  const answer = (open: OpenCall, weather: Weather): void => {
    const call = callOf(open);
    const answered = edge.answer(call, weather);
    const fate = fateOf(call, answered);
    if (fate !== null) told.push(fate);
    tellManners(answered, fate !== null);
    if (answered === null) {
      const reason = weather.kind === "silence" ? weather.reason : "network";
      open.answer({ kind: "silence", reason, message: "silence" });
      return;
    }
    const { status, retryAfterS, body } = answered;
    const retryAfter = retryAfterS === null ? null : String(retryAfterS);
    open.answer({ kind: "answer", status, retryAfter, etag: null, body });
  };
  const tellManners = (answered: EdgeAnswer | null, accounted: boolean): void => {
    const told = answered === null ? null : { ...answered, accounted: accounted || answered.status !== 200 };
    manners.answered(clock.tick(), told);
  };

  /** Compares all that can be seen, once a repair's doings are known. */
  const compare = async (): Promise<void> => {
    const view = await lookAt(subject.core());
    deepStrictEqual(view, model.view());
    for (const { accepted, delivered, pending, quarantined, discarded } of view.streams)
      deepStrictEqual(accepted, delivered + pending + quarantined + discarded);
    deepStrictEqual(await subject.core().log.verify(), []);
    deepStrictEqual(edge.disagreements, []);
    // The reserve is there so that this holds without a byte free, as long as nobody else takes its room.
    if (!reserveTaken) deepStrictEqual(told, [], "a fate was told and not written down");
    deepStrictEqual(subject.faults, []);
    subject.takeWritten();
  };

  const post = async (request: ModelRequest): Promise<void> => {
    const entry: Posted = { request, expected: null };
    posted.push(entry);
    const headers: Record<string, string> = {
      "content-type": "application/json",
      prefer: `return=representation${request.lenient ? ", handling=lenient" : ""}`,
      ...(request.key === null ? {} : { "idempotency-key": request.key }),
      ...(request.entity === null ? {} : { "zuora-entity-ids": request.entity }),
    };
    const meter = request.stream.slice("usage/".length);
    const answered = await subject.post(meter, headers, `[${request.texts.join(",")}]`).catch((error: unknown) => {
      if (!subject.died) throw error;
      return null;
    });
    await subject.settleDown();
    for (const written of subject.takeWritten()) apply(written);
    if (answered !== null) deepStrictEqual(summaryOf(answered.status, answered.body), summaryOfModel(entry));
  };
  const summaryOfModel = ({ request, expected }: Posted) => {
    if (expected === "full") return { status: 507 };
    // What is refused for its faults alone is not even written.
    const said = expected ?? model.take(request, reasonOfInvalid);
    if (said.kind === "refused") return { status: 400, faults: said.faults };
    const { stream } = request;
    const results = said.events.map(({ position, status }, index) => ({
      index,
      status,
      id: eventId("usage", stream, { by: "position", producer, position }),
    }));
    return { status: 200, results };
  };

  const audit = async (): Promise<{ stream: string; missing: readonly Range[]; last: number }[]> => {
    const rows = ledgerOf(producer, edge.taken);
    const audits = (await subject.core().snapshots()).map((snapshot) =>
      compareStream(
        snapshot,
        producer,
        rows.find((row) => row.stream === snapshot.stream),
      ),
    );
    const lost = model
      .delivered()
      .filter(({ stream, position }) => !edge.taken.has(`${stream} ${producer} ${position}`));
    const found = audits.flatMap(({ stream, missing }) =>
      positionsOf(missing).map((position) => `${stream} ${position}`),
    );
    deepStrictEqual(found.sort(), lost.map(({ stream, position }) => `${stream} ${position}`).sort());
    for (const { extra, digest } of audits) deepStrictEqual([extra, digest === "differs"], [[], false]);
    return audits.map(({ stream, missing, agent }) => ({ stream, missing, last: agent.accepted }));
  };

  const act = async (step: Step): Promise<void> => {
    switch (step.do) {
      case "append":
        await Promise.all(step.requests.map((request) => post(requestOf(request))));
        posted = [];
        break;
      case "send":
        for (const weather of step.weather) {
          const next = await nextCall();
          if (next === null) break;
          answer(next, weather);
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
        manners.probe(clock.tick());
        subject.core().uploader.probe();
        break;
      case "restart":
        await restart(step.dies);
        break;
      case "kill":
        // What is under way may arrive yet, though nobody hears of it.
        if (step.taken) for (const open of subject.line()) edge.answer(callOf(open), { kind: "fair" });
        subject.kill();
        break;
      case "fill the disk":
        filler?.fill(step.leave);
        reserveTaken = diskFull;
        diskFull = true;
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
    for (const written of subject.takeWritten()) apply(written);
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
    diskFull = false;
    reserveTaken = false;
  };

  const step = async (next: Step): Promise<void> => {
    if ("dies" in next && next.do !== "restart" && !diskFull) subject.arm(next.dies);
    await act(next);
    await rest();
    subject.arm(null);
    await compare();
  };

  const drain = async (): Promise<void> => {
    for (let calls = 0; subject.core().log.ledger().pending > 0; calls++) {
      ok(calls < CALLS_TO_DRAIN, "it does not drain");
      const next = await nextCall();
      if (next !== null) answer(next, { kind: "fair" });
      await rest();
    }
    await compare();
  };

  return {
    step,
    /**
     * With room and in fair weather everything that was answered for arrives, or is held, or was given up on record;
     * and it arrives once more where the destination loses it all.
     */
    async finish(): Promise<void> {
      await step({ do: "empty the disk" });
      await step({ do: "append", requests: [ORDINARY], dies: null });
      await drain();
      edge.lose(1);
      await step({ do: "audit and repair", everything: false, dies: null });
      await drain();
    },
  };
}

const ORDINARY: DrawnRequest = { meter: "a", entity: null, lenient: false, key: null, kinds: ["good"] };

function reasonOfInvalid(index: number): QuarantineReason {
  return { status: 400, code: VALIDATION_FAULT, message: INVALID_MESSAGE, index, field: "n" };
}

const INVALID_MESSAGE = "n must be an integer, got a string";

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}

function isOperationOf({ stream, texts, key, entity }: ModelRequest, operation: AppendOperation): boolean {
  return (
    operation.stream === stream &&
    (operation.idempotency?.key ?? null) === key &&
    operation.scope.entityIds === entity &&
    textOf(operation.events.body) === texts.join(",")
  );
}

function overlaps(a: EdgeCall, b: EdgeCall): boolean {
  return a.stream === b.stream && a.first < b.first + b.texts.length && b.first < a.first + a.texts.length;
}

function positionsOf(ranges: readonly Range[]): number[] {
  return ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
}

interface UsageBody {
  readonly results?: readonly { readonly index: number; readonly status: string; readonly id: string }[];
  readonly reasons?: readonly object[];
}

function summaryOf(status: number, body: object) {
  const { results, reasons } = body as UsageBody;
  if (status === 200) return { status, results: results?.map(({ index, status, id }) => ({ index, status, id })) };
  return status === 400 ? { status, faults: reasons?.length } : { status };
}
