/**
 * Decides what becomes of each event of a request, and in which rows it is filed. Pure: what the ledger
 * already knows is an argument. The first plan is made knowing nothing, since most requests bring only new
 * events; the ledger refuses it where that was wrong, and the next plan is made from what it found.
 */

import type { ValidationError } from "../../shared/events/validation-error.ts";
import { CONTENT_HASH_BYTES, type Identity, toHex } from "../../shared/identity.ts";
import { DigestSum, type LedgerDigest } from "../../shared/ledger-digest.ts";
import type { Measure } from "../usage/measure.ts";
import { ENTRY_STATUS, entryText, NO_HASH } from "./entries.ts";

/** A checked event with its identity. */
export interface IncomingEvent {
  readonly index: number;
  /** What is kept of its identity with its entry: see ordinal.ts. */
  readonly ordinal: number;
  /** Source text. */
  readonly source: string;
  /** Of its content, or of its bytes where its position makes it known; the first 16 bytes are kept. */
  readonly hash: Uint8Array;
  readonly id: string;
  /** What its identity rests on. */
  readonly identity: Identity["by"];
  /** Ledger key in hex, 32 digits, where the identity is not the position. */
  readonly key: string | null;
  readonly position: number | null;
  /** The reprocessing group of a persist event. */
  readonly group: ReprocessGroup | null;
  /** What it adds to the usage that is priced; null for nothing. */
  readonly measure: Measure | null;
  /** Why it goes to quarantine; empty for a valid event. */
  readonly reasons: readonly ValidationError[];
  /** Adds it to a ledger's digest: position and bytes, or what it is known by where it has no position. */
  addTo(digest: DigestSum): void;
}

export interface ReprocessGroup {
  readonly id: string;
  /** The item that ends its group. */
  readonly closes: boolean;
}

export type Fate =
  | "accepted"
  | "quarantined"
  | "duplicate"
  /** Its identity was accepted before with other content. */
  | "conflict"
  /** Its reprocessing group was closed before. */
  | "closed";

/** What the ledger holds of the identities and positions that a request names. */
export interface Known {
  /** Ledger key → content hashes it is known by, hex. */
  readonly keys: ReadonlyMap<string, readonly string[]>;
  /** What is known at a position; neither text nor hash where what was taken there went elsewhere. */
  readonly positions: ReadonlyMap<number, KnownContent>;
  /** Reprocessing groups that are closed. */
  readonly closedGroups: ReadonlySet<string>;
}

/** What an identity was taken with. */
export interface KnownContent {
  /** At a position: its source, where that is stored. */
  readonly text: string | null;
  /** Hashes in hex: its own where its source is not stored, and that of its correction. */
  readonly hashes: readonly string[];
  /** It was delivered, and nothing of it is here to compare. */
  readonly hasLeft?: true;
}

export const NOTHING_KNOWN: Known = { keys: new Map(), positions: new Map(), closedGroups: new Set() };

/** One row to be, in `batches`. */
export interface PlannedRow {
  readonly first: number | null;
  readonly last: number | null;
  /** Ledger keys in order of the entries; "" for an entry without one. */
  readonly keys: readonly string[];
  /** Each as `entryText` gives it. */
  readonly entries: string;
  readonly entryCount: number;
  readonly payload: string;
  readonly events: number;
  /** Each entry's index in the request. */
  readonly indexes: readonly number[];
  readonly quarantined: readonly { readonly entry: number; readonly event: IncomingEvent }[];
  /** Of the accepted events. */
  readonly measured: readonly { readonly entry: number; readonly event: IncomingEvent; readonly measure: Measure }[];
}

export interface Plan {
  /** One for each event, in order. */
  readonly fates: readonly Fate[];
  readonly rows: readonly PlannedRow[];
  /** Maximal runs of positions accepted, [first, last]. */
  readonly runs: readonly (readonly [number, number])[];
  readonly counts: Readonly<Record<Fate, number>>;
  /** Of the accepted events: group, how many, 1 if one of them closes it. */
  readonly groups: readonly (readonly [string, number, 0 | 1])[];
  /** Over the positions taken; of a request without them over the events accepted, quarantined ones too. */
  readonly digest: LedgerDigest;
}

/** UTF-16 units of payload in one row; a body beyond it becomes several rows under one claim. */
export const ROW_PAYLOAD_MAX = 256 * 1024;

export function planFiling(events: readonly IncomingEvent[], known: Known): Plan {
  const fates = decideFates(events, known);
  const rows = new RowBuilder();
  const digest = new DigestSum();
  const counts: Record<Fate, number> = { accepted: 0, quarantined: 0, duplicate: 0, conflict: 0, closed: 0 };
  events.forEach((event, i) => {
    const fate = fates[i] ?? "conflict";
    counts[fate]++;
    const isNew = fate === "accepted" || fate === "quarantined";
    const takesPosition =
      event.position !== null && (isNew || fate === "duplicate") && !known.positions.has(event.position);
    if (isNew || takesPosition) rows.add(event, fate, takesPosition);
    if (takesPosition || (isNew && event.position === null)) event.addTo(digest);
  });
  return {
    fates,
    rows: rows.finish(),
    runs: rows.runs,
    counts,
    groups: groupsOf(events, fates),
    digest: digest.value,
  };
}

function groupsOf(events: readonly IncomingEvent[], fates: readonly Fate[]): [string, number, 0 | 1][] {
  const groups = new Map<string, [string, number, 0 | 1]>();
  for (const [i, { group }] of events.entries()) {
    if (group === null || fates[i] !== "accepted") continue;
    const [, count, closes] = groups.get(group.id) ?? [group.id, 0, 0];
    groups.set(group.id, [group.id, count + 1, group.closes ? 1 : closes]);
  }
  return [...groups.values()];
}

function decideFates(events: readonly IncomingEvent[], known: Known): Fate[] {
  const earlier = new Map<string, IncomingEvent>();
  const closed = new Set(known.closedGroups);
  return events.map((event) => {
    const before = knownOf(event, known) ?? earlierIn(earlier, event.key);
    if (before !== undefined) return isSame(event, before) ? "duplicate" : "conflict";
    if (event.group !== null && event.reasons.length === 0) {
      if (closed.has(event.group.id)) return "closed";
      if (event.group.closes) closed.add(event.group.id);
    }
    if (event.key !== null) earlier.set(event.key, event);
    return event.reasons.length > 0 ? "quarantined" : "accepted";
  });
}

/** At a position with the very bytes it was taken with or corrected to, else with the same content. */
function isSame(event: IncomingEvent, { text, hashes, hasLeft }: KnownContent): boolean {
  return hasLeft === true || text === event.source || (hashes.length > 0 && hashes.includes(hashHex(event.hash)));
}

/** By what the ledger knows an event's identity, if it does. */
function knownOf(event: IncomingEvent, known: Known): KnownContent | undefined {
  if (event.key === null) return event.position === null ? undefined : known.positions.get(event.position);
  const hashes = known.keys.get(event.key);
  if (hashes !== undefined) return { text: null, hashes };
  // Taken before its stream had own ids, the very same event at the very same position is no other one.
  const held = event.position === null ? undefined : known.positions.get(event.position);
  return held?.text === event.source || held?.hasLeft === true ? held : undefined;
}

/** By what an earlier event of the same request has the identity, if one does. */
function earlierIn(earlier: ReadonlyMap<string, IncomingEvent>, key: string | null): KnownContent | undefined {
  const event = key === null ? undefined : earlier.get(key);
  return event === undefined ? undefined : { text: null, hashes: [hashHex(event.hash)] };
}

export function hashHex(hash: Uint8Array): string {
  return toHex(hash.subarray(0, CONTENT_HASH_BYTES));
}

interface OpenRow {
  readonly first: number | null;
  last: number | null;
  readonly keys: string[];
  readonly entries: string[];
  readonly indexes: number[];
  readonly sources: string[];
  units: number;
  readonly quarantined: { entry: number; event: IncomingEvent }[];
  readonly measured: { entry: number; event: IncomingEvent; measure: Measure }[];
}

/** Collects entries into rows: positions without a hole, or none at all; a bounded payload. */
class RowBuilder {
  readonly runs: [number, number][] = [];
  private readonly done: PlannedRow[] = [];
  private row: OpenRow | null = null;

  add(event: IncomingEvent, fate: Fate, takesPosition: boolean): void {
    const position = takesPosition ? event.position : null;
    const stored = fate === "accepted";
    const units = stored ? event.source.length + 1 : 0;
    const row = this.rowFor(position, units);
    row.last = position;
    row.units += units;
    row.keys.push(fate === "duplicate" ? "" : (event.key ?? ""));
    if (fate === "quarantined") row.quarantined.push({ entry: row.entries.length, event });
    if (stored && event.measure !== null)
      row.measured.push({ entry: row.entries.length, event, measure: event.measure });
    const length = stored ? event.source.length : 0;
    // The text of what is stored at a position says what it holds; what has none there needs its hash.
    const hash = stored && event.identity === "position" ? NO_HASH : event.hash;
    row.entries.push(entryText({ hash, length, ordinal: event.ordinal, status: STATUS[fate] }));
    row.indexes.push(event.index);
    if (stored) row.sources.push(event.source);
    if (position !== null) this.extendRun(position);
  }

  private rowFor(position: number | null, units: number): OpenRow {
    const row = this.row;
    const follows = row !== null && (position === null ? row.last === null : row.last === position - 1);
    if (row !== null && follows && row.units + units <= ROW_PAYLOAD_MAX) return row;
    this.close();
    const fresh: OpenRow = {
      first: position,
      last: position,
      keys: [],
      entries: [],
      indexes: [],
      sources: [],
      units: 0,
      quarantined: [],
      measured: [],
    };
    this.row = fresh;
    return fresh;
  }

  private extendRun(position: number): void {
    const run = this.runs.at(-1);
    if (run !== undefined && run[1] === position - 1) run[1] = position;
    else this.runs.push([position, position]);
  }

  private close(): void {
    if (this.row === null) return;
    const { first, last, keys, entries, indexes, sources, quarantined, measured } = this.row;
    this.done.push({
      first,
      last,
      keys,
      entries: entries.join(""),
      entryCount: entries.length,
      indexes,
      payload: sources.join(","),
      events: sources.length,
      quarantined,
      measured,
    });
    this.row = null;
  }

  finish(): PlannedRow[] {
    this.close();
    return this.done;
  }
}

const STATUS = {
  accepted: ENTRY_STATUS.stored,
  quarantined: ENTRY_STATUS.quarantined,
  duplicate: ENTRY_STATUS.positionOnly,
  conflict: ENTRY_STATUS.positionOnly,
  closed: ENTRY_STATUS.positionOnly,
} as const;
