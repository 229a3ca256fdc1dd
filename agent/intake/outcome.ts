/** What the log made of a request's events, as the outcome that a dialect answers. */
import { eventId, type Identity, type SentIds, sentIdsText } from "../../shared/identity.ts";
import { conflictResult } from "../../shared/intake/answers.ts";
import type { Accepted, Conflicting, Dialect, Reason, Resource } from "../../shared/intake/dialect.ts";
import type { Preferences } from "../../shared/intake/headers.ts";
import type { EventCounts, EventResult, EventResults } from "../../shared/intake/usage-answer.ts";
import type { KnownEvent, KnownInOrder } from "../buffer/tables/known-events.ts";
import type { KeptEvents } from "./kept-event.ts";

/** The events of a strict request whose idempotency key brought other content before. */
export function conflictsOf<R extends Reason>(dialect: Dialect<R>, known: KnownInOrder): Conflicting<R>[] {
  const conflicts: Conflicting<R>[] = [];
  for (let place = 0; place < known.length; place++) {
    const event = known.at(place);
    if (event?.same === false) conflicts.push({ reason: dialect.conflict("key", event.index), id: "" });
  }
  return conflicts;
}

/** Up to here an answer's results are there at once. */
export const RESULTS_KEPT_MAX = 10_000;

/** The results of a body whose events were all accepted, for an answer that names none of them. */
class AllAccepted implements Iterable<EventResult> {
  readonly length: number;
  readonly counts: EventCounts;

  constructor(length: number) {
    this.length = length;
    this.counts = { accepted: length, duplicate: 0, conflict: 0, quarantined: 0 };
  }

  *[Symbol.iterator](): Generator<EventResult> {
    for (let index = 0; index < this.length; index++) yield { index, status: "accepted", id: "" };
  }
}

export interface Appended {
  readonly preferences: Preferences;
  readonly producer: string;
  readonly receivedAt: number;
  readonly scope: SentIds;
  /** Of a body that is one event. */
  readonly source: string | null;
  /** Events that are not known from before have positions from here on, in order. */
  readonly firstPosition: number;
  readonly known: KnownInOrder;
}

export function acceptedOf<R extends Reason>(dialect: Dialect<R>, events: KeptEvents<R>, appended: Appended): Accepted {
  const { preferences, producer } = appended;
  // Of most requests: nothing of it is their own.
  if (!dialect.isSingle && !preferences.representation && events.invalid === 0 && appended.known.length === 0) {
    return { kind: "accepted", results: new AllAccepted(events.count), preferences, resource: null };
  }
  const sentIds = sentIdsText(appended.scope);
  // Hashing is the dearest part of an answer, and most callers never see the ids.
  const isShown = dialect.isSingle || preferences.representation;
  const resultAt = (index: number, before: KnownEvent | undefined, next: number): EventResult => {
    const position = before?.position ?? next;
    const identity = identityOf(events.ownIds.get(index), producer, position);
    const id = isShown ? eventId(dialect.kind, dialect.stream, identity, sentIds) : "";
    if (before?.same === true) return { index, status: "duplicate", id };
    if (before !== undefined) return conflictResult(dialect, "key", index, id);
    const errors = events.errors.get(index);
    if (errors === undefined) return { index, status: "accepted", id };
    const reasons = errors.map((error) => dialect.listed({ ...error, index }, index));
    return { index, status: "quarantined", id, reasons };
  };
  const made: EventResults = {
    length: events.count,
    // Counted without making any of them: each is hashed for its id.
    get counts() {
      return countsOf(events, appended.known);
    },
    *[Symbol.iterator]() {
      // Those that are known are in order too.
      let [next, seen] = [appended.firstPosition, 0];
      let known = appended.known.at(0);
      for (let index = 0; index < events.count; index++) {
        const before = known?.index === index ? known : undefined;
        yield resultAt(index, before, next);
        if (before === undefined) next++;
        else known = appended.known.at(++seen);
      }
    },
  };
  // Of very many, what is listed is made as it is written: kept, it would be more than all else that is known of them.
  const results = events.count <= RESULTS_KEPT_MAX ? [...made] : made;
  const resource = dialect.isSingle ? resourceOf([...results], appended) : null;
  return { kind: "accepted", results, preferences, resource };
}

function countsOf<R extends Reason>(events: KeptEvents<R>, known: KnownInOrder): EventCounts {
  const counts = { accepted: 0, duplicate: 0, conflict: 0, quarantined: events.invalid };
  for (let place = 0; place < known.length; place++) {
    const before = known.at(place);
    if (before === undefined) break;
    counts[before.same ? "duplicate" : "conflict"]++;
    // Known is known, whatever is wrong with it.
    if (events.errors.get(before.index) !== undefined) counts.quarantined--;
  }
  counts.accepted = events.count - counts.duplicate - counts.conflict - counts.quarantined;
  return counts;
}

function identityOf(ownId: string | undefined, producer: string, position: number): Identity {
  return ownId === undefined ? { by: "position", producer, position } : { by: "id", id: ownId };
}

function resourceOf([result]: readonly EventResult[], { source, known, receivedAt }: Appended): Resource {
  const before = known.at(0);
  if (source === null || result === undefined) throw new RangeError("a body of one event holds none");
  return {
    id: result.id,
    source,
    receivedAt: new Date(before?.receivedAt ?? receivedAt).toISOString(),
    isReplay: before !== undefined,
  };
}
