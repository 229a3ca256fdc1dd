/**
 * Holds the core to the model: lets the model do what was written down, looks at each call that goes out, answers it as
 * the destination would, and compares all that can be seen.
 */
import { deepStrictEqual, notStrictEqual, ok } from "node:assert/strict";
import { outcomesOf } from "../../../agent/buffer/gather.ts";
import type { QuarantineReason } from "../../../agent/buffer/tables/quarantine.ts";
import type { AppendInput } from "../../../agent/buffer/transactions/append.ts";
import { bodiesOf } from "../../../agent/buffer/transactions/append-run.ts";
import { compareStream, type Range, takenBy } from "../../../agent/operator/audit.ts";
import type { Clock } from "../../../agent/runtime/clock.ts";
import { VALIDATION_CODE } from "../../../shared/events/validation-error.ts";
import { eventId } from "../../../shared/identity.ts";
import { ledgerOf } from "../support/destination.ts";
import { createAgentModel, type Fate, fateOf, isSameFate, type ModelAnswer, type ModelRequest } from "./agent-model.ts";
import { createEdgeModel, type EdgeCall, type Treatment } from "./edge-model.ts";
import { lookAt, textsOf } from "./look.ts";
import { createPacing, type Pacing } from "./pacing.ts";
import { BACKOFF_MAX_MS, type OpenCall, type Subject, type Written } from "./subject.ts";

export interface CheckerOptions {
  readonly subject: Subject;
  readonly clock: Clock;
  readonly concurrency: number;
}

/** A client's request, until it was answered. */
interface Posted {
  readonly request: ModelRequest;
  /** What the model says to it, once it was written down. */
  expected: ModelAnswer | "full" | null;
}

/** A difference between core and model is thrown as an AssertionError by whatever finds it. */
export function createChecker({ subject, clock, concurrency }: CheckerOptions) {
  const { producer } = subject.core().log;
  const model = createAgentModel();
  const edge = createEdgeModel();
  const newPacing = (): Pacing => createPacing({ callsMax: concurrency, probeMs: BACKOFF_MAX_MS });
  let pacing = newPacing();
  /** Fates that were told and are to be written down. */
  let told: Fate[] = [];
  let posted: Posted[] = [];
  /** Calls that were looked at. */
  let seen = new Set<OpenCall>();
  /** Positions that were asked to be sent again and are, once somebody looks. */
  const resent: { stream: string; first: number; last: number }[] = [];
  /** `reserveTaken`: others took the room that the agent gave its reserve up for. */
  const disk = { full: false, reserveTaken: false };

  /** What was written down is what the model does too, in the same order. */
  const apply = ({ operation, outcome }: Written): void => {
    // Told or not, it is durable; and what would not have fitted was not tried.
    const kind = typeof outcome === "object" && outcome !== null && "kind" in outcome ? outcome.kind : null;
    if (kind === "full") {
      ok(disk.full, `${operation.kind} found no room on a disk that has some`);
      if (operation.kind === "append") expectedOf(operation).expected = "full";
      return;
    }
    switch (operation.kind) {
      case "append": {
        const entry = expectedOf(operation);
        entry.expected = model.take(entry.request, reasonOfInvalid);
        break;
      }
      case "settle": {
        const { stream, first, count, quarantine } = operation;
        const fate = { stream, first, count, quarantine };
        const index = told.findIndex((other) => isSameFate(other, fate));
        ok(index >= 0, `a fate was written down that nobody told: ${JSON.stringify(fate)}`);
        told.splice(index, 1);
        model.settle(fate, disk.full);
        break;
      }
      case "retry": {
        const said = model.retry(operation.id, operation.event === null ? null : textOf(operation.event));
        // Null where the process died before it could tell.
        if (kind !== null) deepStrictEqual(kind, said);
        break;
      }
      case "discard": {
        const said = model.discard(operation.id, operation.reason);
        // Null where the process died before it could tell.
        if (kind !== null) deepStrictEqual(kind, said);
        break;
      }
      case "resend":
        resent.push(operation);
        break;
      default:
    }
  };

  const applyWritten = (): void => {
    for (const written of subject.takeWritten()) for (const one of unfolded(written)) apply(one);
  };

  const expectedOf = (operation: AppendInput): Posted => {
    const found = posted.find(({ expected, request }) => expected === null && isOperationOf(request, operation));
    ok(found, "a body was written down that nobody posted");
    return found;
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
      deepStrictEqual(pacing.out(open.sentAt), null);
      for (const other of calls)
        ok(other === open || !overlaps(callOf(other), call), "an event is in two calls at once");
    }
  };

  /** Lets everything come to rest, and the model do what was done. */
  const rest = async (): Promise<void> => {
    await subject.settleDown();
    applyWritten();
    if (subject.died) return revive();
    for (const { stream, first, last } of resent.splice(0)) {
      const { pending } = await subject.core().log.positions({ stream });
      model.resend(stream, first, last, new Set(positionsOf(pending)));
    }
    inspect();
  };

  const forgetWhatIsOpen = (): void => {
    told = [];
    seen = new Set();
    pacing = newPacing();
  };
  const revive = async (): Promise<void> => {
    forgetWhatIsOpen();
    await subject.restartAfterDeath();
    deepStrictEqual(subject.core().log.producer, producer);
    deepStrictEqual(await subject.core().log.verify(), []);
    await rest();
  };

  const answer = (open: OpenCall, treatment: Treatment): void => {
    const call = callOf(open);
    const answered = edge.answer(call, treatment);
    const fate = fateOf(call, answered);
    if (fate !== null) told.push(fate);
    tellPacing(answered, fate !== null);
    if (answered === null) {
      const reason = treatment.kind === "no-response" ? treatment.reason : "network";
      open.answer({ kind: "no-response", reason, message: "no-response" });
      return;
    }
    const { status, retryAfterS, body } = answered;
    const retryAfter = retryAfterS === null ? null : String(retryAfterS);
    open.answer({ kind: "answer", status, retryAfter, etag: null, dateMs: null, repeated: false, body });
  };
  const tellPacing = (answered: ReturnType<typeof edge.answer>, accounted: boolean): void => {
    const told = answered === null ? null : { ...answered, accounted: accounted || answered.status !== 200 };
    pacing.answered(clock.tick(), told);
  };

  /** Compares all that can be seen, once a repair's doings are known. */
  const compare = async (): Promise<void> => {
    const view = await lookAt(subject.core());
    deepStrictEqual(view, model.view());
    for (const { accepted, delivered, pending, quarantined, discarded } of view.streams)
      deepStrictEqual(accepted, delivered + pending + quarantined + discarded);
    deepStrictEqual(edge.disagreements, []);
    // The reserve is there so that this holds without a byte free, as long as nobody else takes its room.
    if (!disk.reserveTaken) deepStrictEqual(told, [], "a fate was told and not written down");
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
    applyWritten();
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
    const audits = [];
    for (const snapshot of await subject.core().snapshots()) {
      const row = rows.find(({ stream }) => stream === snapshot.stream);
      const due = row === undefined ? null : await subject.core().digest(snapshot.stream, takenBy(row));
      const compared = compareStream(snapshot, row, due);
      audits.push(compared);
      // What is lost may no longer be kept here, and then nobody can say what its bytes were.
      const isSure = row !== undefined && compared.missing.length === 0;
      deepStrictEqual([compared.extra, compared.digest], [[], isSure ? "equal" : compared.digest]);
      notStrictEqual(compared.digest, "differs");
    }
    const lost = model
      .delivered()
      .filter(({ stream, position }) => !edge.taken.has(`${stream} ${producer} ${position}`));
    const found = audits.flatMap(({ stream, missing }) =>
      positionsOf(missing).map((position) => `${stream} ${position}`),
    );
    deepStrictEqual(found.sort(), lost.map(({ stream, position }) => `${stream} ${position}`).sort());
    return audits.map(({ stream, missing, agent }) => ({ stream, missing, last: agent.accepted }));
  };

  return {
    model,
    edge,
    producer,
    disk,
    applyWritten,
    rest,
    answer,
    compare,
    audit,
    forgetWhatIsOpen,
    /** Posts requests at once; what they are answered has to be what the model says. */
    async post(requests: readonly ModelRequest[]): Promise<void> {
      await Promise.all(requests.map(post));
      posted = [];
    },
    /** A person asks for a try of a paused destination. */
    probe(): void {
      pacing.probe(clock.tick());
      subject.core().uploader.probe();
    },
  };
}

/** What was written, each body that was gathered into a run by itself. */
function unfolded({ operation, outcome }: Written): Written[] {
  if (operation.kind !== "appendRun") return [{ operation, outcome }];
  const bodies = bodiesOf(operation);
  const outcomes = outcome === null ? [] : outcomesOf({ operation, of: bodies }, outcome);
  return bodies.map((body, index) => ({
    operation: { kind: "append", ...body },
    outcome: outcomes[index] ?? null,
  }));
}

/** What is on its way in a call. */
export function callOf(open: OpenCall): EdgeCall {
  const { path, headers, body } = open.exchange;
  return {
    stream: `usage/${path.split("/").at(-1)}`,
    producer: headers["weir-producer"] ?? "",
    first: Number(headers["weir-sequence"]),
    texts: textsOf(Buffer.from(body ?? "").toString("utf8")),
  };
}

function reasonOfInvalid(index: number): QuarantineReason {
  return { status: 400, code: VALIDATION_CODE, message: INVALID_MESSAGE, index, field: "n" };
}

const INVALID_MESSAGE = "n must be an integer, got a string";

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}

function isOperationOf({ stream, texts, key, entity, lenient }: ModelRequest, operation: AppendInput): boolean {
  return (
    operation.stream === stream &&
    // Of bodies that were gathered none has anything that strictness bears on.
    (operation.strict === !lenient || (operation.idempotency === null && operation.invalid === undefined)) &&
    // The same key for another entity is another key.
    (operation.idempotency?.key.split("\n").at(-1) ?? null) === key &&
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
