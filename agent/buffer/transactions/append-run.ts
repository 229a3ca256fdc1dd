/** Takes the events of several bodies in as one run: one row, one change of the stream's counts, an outcome for each body. */

import { DigestSum } from "../../../shared/ledger-digest.ts";
import { BODY_HASH_BYTES, type TakenBody } from "../tables/bodies.ts";
import { addRun, type EventRun, joinRuns, sliceRun } from "../tables/event-run.ts";
import { type Scope, scopeText } from "../tables/scope.ts";
import { type AppendInput, type AppendOutcome, append } from "./append.ts";
import type { Context } from "./context.ts";

/** Bodies that go to one place, without keys and invalid events, laid end to end. */
export interface AppendRunInput {
  readonly stream: string;
  readonly scope: Scope;
  /** Of all of them. */
  readonly receivedAt: number;
  readonly events: EventRun;
  /** How many events each body has. */
  readonly counts: Uint32Array;
  /** `BODY_HASH_BYTES` of each body's hash, laid end to end; empty where a repeat is not told by it. */
  readonly hashes: Uint8Array;
}

export interface AppendRunOutcome {
  readonly kind: "appended";
  /** Bodies that are not among the others are on disk: their events have positions from here on, in order. */
  readonly firstPosition: number;
  /** In order. */
  readonly others: readonly { readonly body: number; readonly outcome: AppendOutcome }[];
}

/** All in one row where there is room; else one body after the other, so that what does fit is taken. */
export function appendRun(context: Context, input: AppendRunInput): AppendRunOutcome {
  const fits = context.reserveWhole && context.room.take(input.events, input.counts.length).shortfallBytes === 0;
  return fits ? insertRun(context, input) : appendEach(context, input);
}

function insertRun({ streams, batches, bodies }: Context, input: AppendRunInput): AppendRunOutcome {
  const { counts, hashes, receivedAt, events } = input;
  const stream = streams.open(input.stream);
  const others: { body: number; outcome: AppendOutcome }[] = [];
  const parts: { from: number; to: number }[] = [];
  let from = 0;
  let position = stream.nextPosition;
  for (const [body, count] of counts.entries()) {
    const to = from + count;
    const hash = hashOf(hashes, body);
    // One that was kept a moment ago, for a body of this very run, is found as well.
    const before: TakenBody | null = hash.length === 0 ? null : bodies.find(hash);
    if (before !== null) others.push({ body, outcome: { kind: "repeated", ...before } });
    else {
      if (hash.length > 0) bodies.keep(hash, { firstPosition: position, receivedAt });
      position += count;
      const part = parts.at(-1);
      if (part?.to === from) part.to = to;
      else parts.push({ from, to });
    }
    from = to;
  }
  const accepted = position - stream.nextPosition;
  if (accepted > 0) {
    const run = joinRuns(parts.map((part) => sliceRun(events, part.from, part.to)));
    batches.insert(stream.id, stream.nextPosition, { scope: scopeText(input.scope), receivedAt }, run);
    const digest = new DigestSum();
    addRun(digest, stream.nextPosition, run);
    streams.add(stream.id, {
      ...{ positions: accepted, accepted, pending: accepted },
      pendingBytes: run.body.length,
      digest: digest.value,
    });
  }
  return { kind: "appended", firstPosition: stream.nextPosition, others };
}

function appendEach(context: Context, input: AppendRunInput): AppendRunOutcome {
  const others = bodiesOf(input).map((own, body) => ({ body, outcome: append(context, own) }));
  return { kind: "appended", firstPosition: 0, others };
}

/** The appends that a run stands for, each by itself. */
export function bodiesOf({ stream, scope, receivedAt, events, counts, hashes }: AppendRunInput): AppendInput[] {
  let from = 0;
  return Array.from(counts, (count, body) => {
    const own = sliceRun(events, from, from + count);
    from += count;
    return {
      ...{ stream, scope, receivedAt, events: own, idempotency: null, strict: true },
      ...(hashes.length === 0 ? {} : { bodyHash: hashOf(hashes, body) }),
    };
  });
}

function hashOf(hashes: Uint8Array, body: number): Uint8Array {
  return hashes.subarray(body * BODY_HASH_BYTES, (body + 1) * BODY_HASH_BYTES);
}
