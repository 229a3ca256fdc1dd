/** Lets a quarantined event go: to the destination once more, or given up. */
import { runOf } from "../tables/event-run.ts";
import { type Scope, scopeText } from "../tables/scope.ts";
import type { Context } from "./context.ts";

export interface RetryInput {
  readonly id: number;
  /** Replaces the event's text; null sends it as it is held. */
  readonly event: Uint8Array | null;
  /** Replaces its ids headers; null leaves them. */
  readonly scope: Scope | null;
}

export interface DiscardInput {
  readonly id: number;
  readonly reason: string;
}

/** `stream`: the event was held in it, and is no longer. */
export type ReleaseOutcome =
  | { readonly kind: "released"; readonly stream: string; readonly position: number }
  | { readonly kind: "not-held" };

const NOT_HELD: ReleaseOutcome = { kind: "not-held" };

/** The event waits again under its own position, so that the edge fills the gap it showed. */
export function retry(tables: Context, { id, event, scope: ids }: RetryInput): ReleaseOutcome {
  const held = tables.quarantine.held(id);
  if (held === null) return NOT_HELD;
  const { stream, position, receivedAt } = held;
  const scope = ids === null ? held.scope : scopeText(ids);
  const run = runOf(event ?? held.event);
  tables.batches.insertAgain(stream, position, { scope, receivedAt }, run);
  tables.quarantine.retried(id, event, scope);
  tables.streams.add(stream, { quarantined: -1, pending: 1, pendingBytes: run.body.length });
  return { kind: "released", stream: held.streamName, position };
}

/** The event is given up; it stays listed, with the reason. */
export function discard(tables: Context, { id, reason }: DiscardInput): ReleaseOutcome {
  const held = tables.quarantine.held(id);
  if (held === null) return NOT_HELD;
  tables.quarantine.discarded(id, reason);
  tables.streams.add(held.stream, { quarantined: -1, discarded: 1 });
  return { kind: "released", stream: held.streamName, position: held.position };
}
