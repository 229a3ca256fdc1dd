/** What people do with quarantined events, the same with and without a running agent. */
import { parseStream } from "../../shared/events/kind.ts";
import type { Check, Dialect, Reason } from "../../shared/intake/dialect.ts";
import { solvimonCheck } from "../../shared/intake/solvimon-body.ts";
import { solvimonDialect } from "../../shared/intake/solvimon-dialect.ts";
import { usageDialect } from "../../shared/intake/usage-dialect.ts";
import type { BodyLimits } from "../../shared/wire.ts";
import type { Log } from "../buffer/log.ts";
import type { QuarantinedEvent, QuarantineReason, QuarantineState } from "../buffer/tables/quarantine.ts";
import type { Scope } from "../buffer/tables/scope.ts";
import type { Schemas } from "../intake/schemas.ts";
import { idsOf } from "../upload/lane-log.ts";

/** An entry as the commands print it. */
export interface QuarantineItem {
  readonly id: number;
  readonly stream: string;
  readonly position: number;
  readonly entity_ids?: string;
  readonly org_ids?: string;
  readonly platform_id?: string;
  /** The event by its source text, as it was sent last; a line that is no JSON is a string. */
  readonly event: unknown;
  readonly reason: QuarantineReason;
  readonly quarantined_at: string;
  readonly state: QuarantineState;
  readonly discard_reason?: string;
  /** How often it was retried; held all the same, the last of them was refused. */
  readonly attempts: number;
  /** How many reasons it had before this one. */
  readonly earlier_reasons: number;
  /** The event as it came, where it was corrected since. */
  readonly original?: unknown;
}

export type ReleaseResult =
  | { readonly kind: "released"; readonly stream: string; readonly position: number }
  | { readonly kind: "unknown" }
  | { readonly kind: "not-held"; readonly state: QuarantineState }
  | { readonly kind: "invalid"; readonly message: string }
  | { readonly kind: "full" };

export interface Quarantine {
  /** Entries with an id above `after`, in order; fewer than `limit` where they are large, none at the end. */
  list(state: QuarantineState | null, after: number, limit: number): Promise<string[]>;
  /** Null for an unknown id. */
  show(id: number): Promise<string | null>;
  /** @param ids in place of the ids headers it came with; those that are absent stay. */
  retry(id: number, corrected: Uint8Array | null, ids?: CorrectedIds): Promise<ReleaseResult>;
  discard(id: number, reason: string): Promise<ReleaseResult>;
}

/** Ids headers to send an event with; an empty text takes one off. */
export interface CorrectedIds {
  readonly entityIds?: string;
  readonly orgIds?: string;
  readonly platformId?: string;
}

export interface QuarantineOptions {
  readonly log: Log;
  readonly schemas: Schemas;
  readonly limits: BodyLimits;
}

/** Entries are JSON texts: an event's numbers must come out as they came in. */
export function createQuarantine({ log, schemas, limits }: QuarantineOptions): Quarantine {
  const find = async (id: number): Promise<QuarantinedEvent | null> => {
    const [found] = await log.quarantined({ state: null, after: id - 1, limit: 1 });
    return found?.id === id ? found : null;
  };
  const release = async (id: number, act: () => ReturnType<Log["retry"]>): Promise<ReleaseResult> => {
    const outcome = await act();
    if (outcome.kind === "not-held") return { kind: "not-held", state: (await find(id))?.state ?? "held" };
    return outcome.kind === "full" ? { kind: "full" } : outcome;
  };
  return {
    list: async (state, after, limit) => (await log.quarantined({ state, after, limit })).map(itemText),
    async show(id) {
      const found = await find(id);
      return found === null ? null : itemText(found);
    },
    async retry(id, corrected, ids = {}) {
      const found = await find(id);
      if (found === null) return { kind: "unknown" };
      const event = checkRetry(found, corrected, schemas, limits);
      if ("message" in event) return { kind: "invalid", message: event.message };
      return release(id, () =>
        log.retry({ id, event: corrected === null ? null : event.bytes, scope: scopeWith(found.scope, ids) }),
      );
    },
    async discard(id, reason) {
      if ((await find(id)) === null) return { kind: "unknown" };
      return release(id, () => log.discard({ id, reason }));
    },
  };
}

/** Null where nothing is corrected. */
function scopeWith(scope: Scope, ids: CorrectedIds): Scope | null {
  if (Object.keys(ids).length === 0) return null;
  const { entityIds = scope.entityIds, orgIds = scope.orgIds, platformId = scope.platformId } = ids;
  return { entityIds: entityIds || null, orgIds: orgIds || null, platformId: platformId || null };
}

/**
 * What is sent has to be an object in JSON, or it would spoil the call for its neighbours. A corrected one has to be
 * right as well; the original may have become so at the edge.
 */
function checkRetry(
  found: QuarantinedEvent,
  corrected: Uint8Array | null,
  schemas: Schemas,
  limits: BodyLimits,
): { readonly bytes: Uint8Array } | { readonly message: string } {
  const parsed = parseStream(found.stream);
  const hint = corrected === null ? "; give a corrected event with --event" : "";
  const bytes = corrected ?? found.event;
  const read =
    parsed === null || parsed.kind === "usage"
      ? readUsage(bytes, parsed?.meterGlobalId ?? null, schemas, limits)
      : readBy(solvimonDialect(parsed.kind, "single"), solvimonCheck(parsed.kind), bytes, limits);
  if (read.kind === "malformed") return { message: `${read.reason.message}${hint}` };
  if (read.kind === "too-large") return { message: read.message };
  const [event] = read.events;
  if (event === undefined || read.events.length !== 1) return { message: `one event is wanted${hint}` };
  if (corrected !== null && event.error !== null) return { message: event.error.message };
  return { bytes: Buffer.from(event.source, "utf8") };
}

function readUsage(bytes: Uint8Array, meterGlobalId: string | null, schemas: Schemas, limits: BodyLimits) {
  const rules = meterGlobalId === null ? null : schemas.meter(meterGlobalId);
  return readBy(usageDialect(meterGlobalId ?? ""), rules?.check ?? (() => []), bytes, limits);
}

/** Each event with the first thing that is wrong with it. */
function readBy<R extends Reason>(dialect: Dialect<R>, check: Check<R>, bytes: Uint8Array, limits: BodyLimits) {
  return dialect.read(bytes, "json", check, limits, ({ source, errors: [error] }) => ({
    source,
    error: error === undefined ? null : dialect.listed(error, 0),
  }));
}

function itemText(entry: QuarantinedEvent): string {
  const { id, stream, position, scope, reason, at, state, discardReason, original, attempts } = entry;
  const head = JSON.stringify({ id, stream, position, ...idsOf(scope) }).slice(0, -1);
  const rest = JSON.stringify({
    reason,
    quarantined_at: new Date(at).toISOString(),
    state,
    ...(discardReason === null ? {} : { discard_reason: discardReason }),
    attempts,
    earlier_reasons: entry.earlierReasons,
  }).slice(1);
  const before = original === null ? "" : `,"original":${eventText(original)}`;
  return `${head},"event":${eventText(entry.event)},${rest.slice(0, -1)}${before}}`;
}

function eventText(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString("utf8");
  try {
    JSON.parse(text);
    // On one line: NDJSON is what export makes. Line breaks in JSON are white space.
    return text.replace(/[\r\n]/g, " ");
  } catch {
    return JSON.stringify(text);
  }
}
