/**
 * The agent as it should be, in memory: what becomes of every event it was given. Pure, and meant to be read as the
 * specification that the real one is held to, step by step, through crashes, full disks and every kind of answer.
 *
 * An event that was answered for gets the next position of its stream and is in one place at any time: it waits, or
 * it was delivered, or it is held in quarantine, or it was given up on record. Only these things move it:
 *   an answer that accounts for it     waits → delivered
 *   a refusal of it alone, a conflict  waits → held, with the refuser's own words
 *   a person's retry, discard          held → waits, held → discarded
 *   a repair after an audit            delivered → waits
 * An event has one entry in quarantine however often it is held: what it is retried for and refused again, it says.
 * Nothing else does: no lost response, no trouble, no crash, no full disk, no age, no restart.
 */
import { isDeepStrictEqual } from "node:util";
import type { QuarantineReason, QuarantineState } from "../../../agent/buffer/tables/quarantine.ts";
import type { EdgeAnswer, EdgeCall } from "./edge-model.ts";
import { kindOf } from "./event-text.ts";

export type Place = "waiting" | "delivered" | "held" | "discarded";

interface ModelEvent {
  /** What is sent for it: its own text, or the one it was corrected to. */
  text: string;
  readonly entity: string | null;
  /** The request it came in. */
  readonly request: number;
  place: Place;
  /** Whether it could be sent again after its delivery: for sure, or as far as there was room and time to keep it. */
  kept: "surely" | "perhaps";
}

export interface ModelEntry {
  readonly id: number;
  readonly stream: string;
  readonly position: number;
  /** As it was sent last. */
  text: string;
  reason: QuarantineReason;
  state: QuarantineState;
  discardReason: string | null;
  /** How often it was retried. */
  attempts: number;
  /** Reasons before this one. */
  earlierReasons: number;
}

export interface ModelRequest {
  readonly stream: string;
  readonly entity: string | null;
  readonly texts: readonly string[];
  readonly lenient: boolean;
  readonly key: string | null;
}

export type ModelAnswer =
  | { readonly kind: "taken"; readonly events: readonly TakenEvent[] }
  /** Nothing of the body was taken, for the faults of so many of its events. */
  | { readonly kind: "refused"; readonly faults: number };

export interface TakenEvent {
  readonly position: number;
  readonly status: "accepted" | "duplicate" | "conflict" | "quarantined";
}

/** What an answer makes of the events of a call; null where they go on waiting. */
export interface Fate {
  readonly stream: string;
  readonly first: number;
  readonly count: number;
  readonly quarantine: readonly { readonly position: number; readonly reason: QuarantineReason }[];
}

export type Release = "released" | "not-held" | "unknown" | "invalid";

/** All that can be seen of an agent. */
export interface View {
  readonly streams: readonly {
    readonly stream: string;
    readonly accepted: number;
    readonly delivered: number;
    readonly pending: number;
    readonly quarantined: number;
    readonly discarded: number;
    readonly nextPosition: number;
    /** `POSITION TEXT` of each event that waits, in order. */
    readonly waiting: readonly string[];
  }[];
  readonly quarantine: readonly {
    readonly id: number;
    readonly stream: string;
    readonly position: number;
    readonly text: string;
    readonly reason: QuarantineReason;
    readonly state: QuarantineState;
    readonly discardReason: string | null;
    readonly attempts: number;
    readonly earlierReasons: number;
  }[];
}

export function createAgentModel() {
  const streams = new Map<string, ModelEvent[]>();
  /** Bodies without a key that were taken whole, by all that makes them the same, with the first position they got. */
  const bodies = new Map<string, number>();
  const keys = new Map<string, { readonly text: string; readonly position: number }[]>();
  const entries: ModelEntry[] = [];
  let requests = 0;

  const eventsOf = (stream: string): ModelEvent[] => {
    const events = streams.get(stream) ?? [];
    streams.set(stream, events);
    return events;
  };
  const eventAt = (stream: string, position: number): ModelEvent => {
    const event = streams.get(stream)?.[position - 1];
    if (event === undefined) throw new Error(`nobody was given position ${position} of ${stream}`);
    return event;
  };
  const hold = (stream: string, position: number, reason: QuarantineReason): void => {
    const event = eventAt(stream, position);
    event.place = "held";
    const { text } = event;
    const known = entries.find((entry) => entry.stream === stream && entry.position === position);
    if (known === undefined) {
      const id = entries.length + 1;
      const counts = { attempts: 0, earlierReasons: 0 };
      entries.push({ id, stream, position, text, reason, state: "held", discardReason: null, ...counts });
    } else {
      known.reason = reason;
      known.state = "held";
      known.earlierReasons++;
    }
  };

  return {
    /**
     * Takes a request, in the order of the commits. A key tells what it brought before, by index: the same content is
     * a duplicate, other content a conflict, what goes beyond is new. Without a key the very same body for the same stream
     * and entity is a repeat. All or nothing, unless the request is lenient.
     * @param reasonOf what the sender was told of an event that is not as its schema says.
     */
    take(request: ModelRequest, reasonOf: (index: number) => QuarantineReason): ModelAnswer {
      const known = request.key === null ? [] : (keys.get(keyOf(request)) ?? []);
      const faults = faultsOf(request, known);
      if (faults > 0 && !request.lenient) return { kind: "refused", faults };
      const events = eventsOf(request.stream);
      const body = request.key === null ? JSON.stringify([request.stream, request.entity, request.texts]) : null;
      const first = body === null ? undefined : bodies.get(body);
      if (first !== undefined) {
        const repeated = request.texts.map((_, index) => ({ position: first + index, status: "duplicate" as const }));
        return { kind: "taken", events: repeated };
      }
      if (body !== null) bodies.set(body, events.length + 1);
      const number = ++requests;
      const brought = [...known];
      const taken = request.texts.map((text, index): TakenEvent => {
        const before = known[index];
        if (before !== undefined) {
          return { position: before.position, status: before.text === text ? "duplicate" : "conflict" };
        }
        const position = events.push({
          text,
          entity: request.entity,
          request: number,
          place: "waiting",
          kept: "surely",
        });
        brought.push({ text, position });
        if (kindOf(text) !== "invalid") return { position, status: "accepted" };
        hold(request.stream, position, reasonOf(index));
        return { position, status: "quarantined" };
      });
      if (request.key !== null) keys.set(keyOf(request), brought);
      return { kind: "taken", events: taken };
    },

    /** Whether a call may go out: waiting events only, in a row, as they came, of one entity. */
    objectionTo({ stream, first, texts }: EdgeCall, entity: string | null): string | null {
      for (const [index, text] of texts.entries()) {
        const event = eventAt(stream, first + index);
        const where = `${stream} ${first + index}`;
        if (event.place !== "waiting") return `${where} was sent, but it is ${event.place}`;
        if (event.text !== text) return `${where} was sent as ${text}, but it is ${event.text}`;
        if (event.entity !== entity) return `${where} was sent for ${entity}, but it is of ${event.entity}`;
      }
      return null;
    },

    /**
     * Writes the fate of a call down.
     * @param diskFull there may have been no room to keep what is delivered, nor what came with it.
     */
    settle({ stream, first, count, quarantine }: Fate, diskFull: boolean): void {
      for (let position = first; position < first + count; position++) {
        const event = eventAt(stream, position);
        event.place = "delivered";
        for (const other of eventsOf(stream)) if (diskFull && other.request === event.request) other.kept = "perhaps";
      }
      for (const { position, reason } of quarantine) hold(stream, position, reason);
    },

    /** @param corrected the text to send instead; one that is not as its schema says is refused. */
    retry(id: number, corrected: string | null): Release {
      const entry = entries[id - 1];
      if (entry === undefined) return "unknown";
      if (corrected !== null && kindOf(corrected) === "invalid") return "invalid";
      if (entry.state !== "held") return "not-held";
      entry.state = "retried";
      entry.attempts++;
      entry.text = corrected ?? entry.text;
      const event = eventAt(entry.stream, entry.position);
      event.place = "waiting";
      event.text = entry.text;
      return "released";
    },

    discard(id: number, reason: string): Release {
      const entry = entries[id - 1];
      if (entry === undefined) return "unknown";
      if (entry.state !== "held") return "not-held";
      entry.state = "discarded";
      entry.discardReason = reason;
      eventAt(entry.stream, entry.position).place = "discarded";
      return "released";
    },

    /**
     * Lets delivered positions wait again that are still kept.
     * @param waits which positions wait now: what is perhaps kept is told by the agent, the rest has to be as it is.
     * @returns how many there are.
     */
    resend(stream: string, first: number, last: number, waits: ReadonlySet<number>): number {
      let count = 0;
      for (let position = first; position <= last; position++) {
        const event = eventAt(stream, position);
        if (event.place !== "delivered") continue;
        if (event.kept === "perhaps" && !waits.has(position)) continue;
        event.place = "waiting";
        count++;
      }
      return count;
    },

    /** What was kept may be gone by now, and keys may be forgotten. */
    age(): void {
      for (const events of streams.values()) for (const event of events) event.kept = "perhaps";
    },

    /** The positions that were delivered, by stream. */
    delivered(): { readonly stream: string; readonly position: number; readonly text: string }[] {
      return [...streams].flatMap(([stream, events]) =>
        events.flatMap(({ place, text }, index) =>
          place === "delivered" ? [{ stream, position: index + 1, text }] : [],
        ),
      );
    },

    entryCount: () => entries.length,

    view(): View {
      const rows = [...streams].map(([stream, events]) => {
        const count = (place: Place) => events.filter((event) => event.place === place).length;
        return {
          stream,
          accepted: events.length,
          delivered: count("delivered"),
          pending: count("waiting"),
          quarantined: count("held"),
          discarded: count("discarded"),
          nextPosition: events.length + 1,
          waiting: events.flatMap(({ place, text }, index) => (place === "waiting" ? [`${index + 1} ${text}`] : [])),
        };
      });
      return { streams: rows.sort((a, b) => (a.stream < b.stream ? -1 : 1)), quarantine: entries };
    },
  };
}

export type AgentModel = ReturnType<typeof createAgentModel>;

/** A key is one for each stream and entity. */
function keyOf({ stream, entity, key }: ModelRequest): string {
  return JSON.stringify([stream, entity, key]);
}

/** How many events of a body are not as their schema says, or are at odds with what their key brought before. */
function faultsOf({ texts }: ModelRequest, known: readonly { readonly text: string }[]): number {
  const invalid = texts.filter((text) => kindOf(text) === "invalid").length;
  const conflicting = texts.filter((text, index) => known[index] !== undefined && known[index]?.text !== text).length;
  return invalid + conflicting;
}

/**
 * What an answer makes of a call's events. Only an answer that accounts for all of them delivers; what is too large or
 * refused is tried in halves, until it is one event that stands alone. Everything else leaves them waiting.
 */
export function fateOf({ stream, first, texts }: EdgeCall, answer: EdgeAnswer | null): Fate | null {
  if (answer === null) return null;
  const count = texts.length;
  const body = JSON.parse(answer.body.startsWith("{") ? answer.body : "{}") as {
    readonly message?: string;
    readonly results?: readonly {
      readonly index: number;
      readonly status: string;
      readonly reasons?: readonly object[];
    }[];
  };
  if (answer.status === 200) {
    if (body.results?.length !== count) return null;
    const quarantine = body.results.flatMap(({ index, status, reasons }) =>
      status === "conflict"
        ? [{ position: first + index, reason: { status: 200, ...reasons?.[0] } as QuarantineReason }]
        : [],
    );
    return { stream, first, count, quarantine };
  }
  if (count > 1 || ![400, 409, 413, 422].includes(answer.status)) return null;
  const reason = { status: answer.status, message: body.message ?? "" };
  return { stream, first, count, quarantine: [{ position: first, reason }] };
}

export function isSameFate(a: Fate, b: Fate): boolean {
  return isDeepStrictEqual(a, b);
}
