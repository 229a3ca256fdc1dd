/**
 * Appends that wait for the same commit and go to the same stream and ids become one: one message to the log's thread, one
 * run of positions, one row. Each body keeps its own outcome, and all of them come with the one commit. Pure.
 */
import { BODY_HASH_BYTES } from "./tables/bodies.ts";
import { joinRuns } from "./tables/event-run.ts";
import { NONE_KNOWN } from "./tables/known-events.ts";
import { scopeText } from "./tables/scope.ts";
import type { AppendInput, AppendOutcome } from "./transactions/append.ts";
import type { AppendRunInput, AppendRunOutcome } from "./transactions/append-run.ts";
import type { Operation, Outcome } from "./transactions/operations.ts";

/** A larger body is worth a message of its own, and would be copied. */
const GATHERED_BYTES_MAX = 64 * 1024;
/** Of all together: what one row holds. */
const RUN_BYTES_MAX = 256 * 1024;
/** Bodies of one run have one time of receipt, the first one's; by more it never differs. */
const APART_MS_MAX = 1000;

/** An operation as it goes to the log's thread, and those it stands for, in their order. */
export interface Gathered<A> {
  readonly operation: Operation;
  readonly of: readonly A[];
}

interface OpenRun<A> {
  readonly place: number;
  readonly first: AppendInput;
  readonly scope: string;
  readonly bodies: AppendInput[];
  readonly of: A[];
  bytes: number;
}

/** @returns the operations in order; a run stands where its first body stood, and no append of its stream between them. */
export function gather<A extends { readonly operation: Operation }>(asked: readonly A[]): Gathered<A>[] {
  const gathered: Gathered<A>[] = [];
  const open = new Map<string, OpenRun<A>>();
  const close = (stream: string): void => {
    const run = open.get(stream);
    if (run === undefined) return;
    open.delete(stream);
    if (run.of.length > 1) gathered[run.place] = { operation: runOf(run.bodies), of: run.of };
  };
  for (const one of asked) {
    const { operation } = one;
    if (operation.kind === "append") {
      const run = open.get(operation.stream);
      if (run !== undefined && joins(run, operation)) {
        run.bodies.push(operation);
        run.of.push(one);
        run.bytes += operation.events.body.length + 1;
        continue;
      }
      close(operation.stream);
      if (isPlain(operation)) open.set(operation.stream, openRun(gathered.length, operation, one));
    }
    gathered.push({ operation, of: [one] });
  }
  for (const stream of [...open.keys()]) close(stream);
  return gathered;
}

function openRun<A>(place: number, first: AppendInput, one: A): OpenRun<A> {
  return { place, first, scope: scopeText(first.scope), bodies: [first], of: [one], bytes: first.events.body.length };
}

/** Nothing but its events and its hash says what becomes of it. */
function isPlain({ events, invalid, idempotency, tail }: AppendInput): boolean {
  return (
    events.body.length <= GATHERED_BYTES_MAX && invalid === undefined && idempotency === null && tail === undefined
  );
}

function joins<A>({ first, scope, bytes }: OpenRun<A>, input: AppendInput): boolean {
  return (
    isPlain(input) &&
    bytes + 1 + input.events.body.length <= RUN_BYTES_MAX &&
    (input.bodyHash === undefined) === (first.bodyHash === undefined) &&
    Math.abs(input.receivedAt - first.receivedAt) <= APART_MS_MAX &&
    (input.scope === first.scope || scopeText(input.scope) === scope)
  );
}

function runOf(bodies: readonly AppendInput[]): Operation<"appendRun"> {
  const [first] = bodies;
  if (first === undefined) throw new RangeError("a run of no body");
  const counts = Uint32Array.from(bodies, ({ events }) => events.ends.length);
  const hashes = new Uint8Array(first.bodyHash === undefined ? 0 : bodies.length * BODY_HASH_BYTES);
  for (const [index, { bodyHash }] of bodies.entries()) {
    if (bodyHash !== undefined) hashes.set(bodyHash, index * BODY_HASH_BYTES);
  }
  const { stream, scope, receivedAt } = first;
  const events = joinRuns(bodies.map((body) => body.events));
  return { kind: "appendRun", stream, scope, receivedAt, events, counts, hashes };
}

/** The outcome of each of the operations that a gathered one stands for. */
export function outcomesOf({ operation, of }: Gathered<unknown>, outcome: Outcome): readonly Outcome[] {
  if (operation.kind !== "appendRun") return [outcome];
  const found = outcome as AppendRunOutcome | Extract<AppendOutcome, { kind: "full" }>;
  return found.kind === "full" ? of.map(() => found) : eachOf(operation, found);
}

function eachOf({ counts, receivedAt }: AppendRunInput, { firstPosition, others }: AppendRunOutcome): AppendOutcome[] {
  let next = firstPosition;
  let seen = 0;
  return Array.from(counts, (count, body) => {
    const other = others[seen];
    if (other?.body === body) {
      seen++;
      return other.outcome;
    }
    const durable: AppendOutcome = { kind: "durable", firstPosition: next, known: NONE_KNOWN, receivedAt };
    next += count;
    return durable;
  });
}
