/** Opens what a power cut left, as the agent would, and looks for all that was acknowledged before it. */

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { boundsOf } from "../../../agent/buffer/disk/bounds.ts";
import { openStore, type Store } from "../../../agent/buffer/store.ts";
import { eventBytes } from "../../../agent/buffer/tables/event-run.ts";
import { knownIn, NONE_KNOWN } from "../../../agent/buffer/tables/known-events.ts";
import { METADATA } from "../../../agent/buffer/tables/metadata.ts";
import { NO_SCOPE } from "../../../agent/buffer/tables/scope.ts";
import type { Operation, Outcome } from "../../../agent/buffer/transactions/operations.ts";
import { bodyHash } from "../../../agent/intake/body-hash.ts";
import { messageOf } from "../../../agent/runtime/agent-error.ts";
import { CONTENT_HASH_BYTES, contentHash } from "../../../shared/identity.ts";
import { scanJson } from "../../../shared/json/bodies.ts";
import type { JsonObject } from "../../../shared/json/value.ts";
import { tempDir } from "../../../tools/processes/temp-dir.ts";
import { packEvents } from "../support/pack-events.ts";
import { cutPower, type Left } from "./disk.ts";
import type { Cut } from "./places.ts";
import { bodyOf, type Recording, type Told, type ToldRequest } from "./recording.ts";

export interface CutFault {
  /** An acknowledged event, or key, that is not there; or anything else that is not as it has to be. */
  readonly kind: "lost" | "wrong";
  readonly what: string;
}

/** Every event's place in the log, by stream and text. */
export type Positions = ReadonlyMap<string, number>;
const placeKey = (stream: string, text: string) => `${stream} ${text}`;

/** What one reopened buffer holds. */
interface Held {
  readonly pending: ReadonlyMap<string, string>;
  readonly quarantined: ReadonlyMap<string, string>;
}

/** Reopening syncs now and then; in memory that costs nothing, and who opens does not care. */
const MEMORY = existsSync("/dev/shm") ? "/dev/shm" : undefined;

/** Where each event of a recording lies, told from its end: what waits or is held there, and what was taken. */
export function positionsOf(recording: Recording): Positions {
  const { told, operations } = recording;
  const positions = new Map<string, number>();
  const add = (place: string, text: string) => {
    const [stream = "", position] = place.split(" ");
    positions.set(placeKey(stream, text), Number(position));
  };
  for (const [place, text] of Object.entries(told.taken)) add(place, text);
  withStore(cutPower(operations, told.root, Number.POSITIVE_INFINITY, null), told, (store) => {
    const { pending, quarantined } = heldIn(store);
    for (const [place, text] of [...pending, ...quarantined]) add(place, text);
  });
  return positions;
}

/** @returns what is missing or wrong after this cut; empty where the promise holds. */
export function faultsAfter(
  recording: Recording,
  positions: Positions,
  { at, left }: Cut & { left: Left },
): CutFault[] {
  const { told, acknowledgements } = recording;
  const answered = new Set(acknowledgements.filter((one) => one.at < at).map(({ trackId }) => trackId));
  const requests = told.requests.filter(({ trackId }) => answered.has(trackId));
  const faults = smallFileFaults(left, told);
  try {
    withStore(left, told, (store) => faults.push(...storeFaults(store, requests, told, positions)));
  } catch (error) {
    faults.push({ kind: "wrong", what: `the buffer cannot be opened: ${messageOf(error)}` });
  }
  return faults;
}

function withStore(left: Left, { root, directory, bytesMax }: Told, look: (store: Store) => void): void {
  const temp = tempDir("weir-power-cut", MEMORY);
  try {
    const moved = (path: string) => join(temp.path, path.slice(root.length));
    for (const path of left.directories) mkdirSync(moved(path));
    for (const [path, bytes] of left.files) writeFileSync(moved(path), bytes);
    const store = openStore({ directory: moved(directory), bytesMax });
    try {
      look(store);
    } finally {
      store.close();
    }
  } finally {
    temp.remove();
  }
}

const ZEROS = Buffer.alloc(4096);

/** Files beside the database are there whole, or not at all. */
export function smallFileFaults({ files }: Left, { directory, bytesMax, producer }: Told): CutFault[] {
  const faults: CutFault[] = [];
  const name = files.get(`${directory}/name`)?.toString();
  const id = producer.slice(0, producer.lastIndexOf("."));
  if (name !== undefined && name !== id) {
    faults.push({ kind: "wrong", what: `the kept name is ${JSON.stringify(name)}, it was given as ${id}` });
  }
  const reserve = files.get(`${directory}/reserve`);
  const passesForWhole = reserve !== undefined && reserve.length >= boundsOf(bytesMax).reserveBytes;
  // Its bytes are random: zeros are holes, which no disk keeps room for.
  if (passesForWhole && reserve.includes(ZEROS)) faults.push({ kind: "wrong", what: "the reserve has holes" });
  return faults;
}

function storeFaults(store: Store, requests: readonly ToldRequest[], told: Told, positions: Positions): CutFault[] {
  const { setAside, metadata, ledgers } = store.state;
  const faults: CutFault[] = [];
  const wrong = (what: string) => void faults.push({ kind: "wrong", what });
  // Then the log that goes on is a new one, which lacks all that was acknowledged.
  if (setAside !== null) wrong(`the log was set aside: ${setAside.reason}`);
  for (const fault of ask(store, { kind: "verify" })) wrong(`by its own account: ${fault}`);

  const producer = `${metadata.get(METADATA.id)}.${metadata.get(METADATA.log)}`;
  if ((metadata.has(METADATA.log) || requests.length > 0) && producer !== told.producer) {
    faults.push({ kind: "lost", what: `the name on the wire is ${producer}, it was ${told.producer}` });
  }
  const held = heldIn(store);
  const nextPositions = new Map(ledgers.map((ledger) => [ledger.stream, ledger.nextPosition]));
  const look = (stream: string, text: string) => {
    const position = positions.get(placeKey(stream, text));
    const place = `${stream} ${position}`;
    const short = `${stream} ${text.slice(0, 60)}`;
    if (position === undefined) wrong(`nobody has seen ${short}`);
    else if (position >= (nextPositions.get(stream) ?? 1)) {
      faults.push({ kind: "lost", what: `position ${position} will be given again, it was answered for: ${short}` });
    } else {
      const there = held.pending.get(place) ?? held.quarantined.get(place) ?? told.taken[place];
      if (there !== text) faults.push({ kind: "lost", what: `at position ${position} lies ${there}, not ${short}` });
    }
  };
  for (const { stream, events } of requests) for (const text of events) look(stream, text);
  checkTail(store, told, look, wrong);
  for (const request of requests)
    if (request.key !== null) faults.push(...keyFaults(store, request, request.key, positions));
  return [...faults, ...bodyFaults(store, told, positions, nextPositions)];
}

/**
 * Sends every body again that came without a key, answered before the cut or not, as its client would. One whose events
 * are there is known as a repeat, with the positions they have: taken anew it would count twice. One whose events are not
 * there is not known: its client would hear that it was taken, and it would be lost.
 */
function bodyFaults(
  store: Store,
  { requests }: Told,
  positions: Positions,
  nextPositions: ReadonlyMap<string, number>,
): CutFault[] {
  const unkeyed = requests.filter(({ key }) => key === null);
  const bodies = [...new Map(unkeyed.map((request) => [`${request.stream} ${bodyOf(request)}`, request])).values()];
  const { outcomes } = store.run(bodies.map(repeatOf));
  return bodies.flatMap(({ stream, events: [first = ""] }, index): CutFault[] => {
    const outcome = outcomes[index];
    const position = positions.get(placeKey(stream, first));
    const isThere = position !== undefined && position < (nextPositions.get(stream) ?? 1);
    const known = outcome?.kind === "repeated" ? outcome.firstPosition : null;
    if (isThere && known === null)
      return [{ kind: "wrong", what: `the body at position ${position} of ${stream} would be taken twice` }];
    if (isThere && known !== position)
      return [{ kind: "wrong", what: `the body at ${position} of ${stream} is known at ${known}` }];
    if (!isThere && known !== null)
      return [{ kind: "lost", what: `a body of ${stream} is known at ${known}, and its events are not there` }];
    return [];
  });
}

/** As the intake would ask for it. */
function repeatOf(request: ToldRequest): Operation<"append"> {
  const { stream, events } = request;
  return {
    ...{
      kind: "append",
      stream,
      scope: NO_SCOPE,
      receivedAt: 0,
      events: packEvents(events),
      strict: true,
    },
    ...{ idempotency: null, bodyHash: bodyHash(stream, NO_SCOPE, Buffer.from(bodyOf(request))) },
  };
}

/** Lines that count as read are in the log, and no others are. */
function checkTail(
  store: Store,
  { tail }: Told,
  look: (stream: string, text: string) => void,
  wrong: (what: string) => void,
): void {
  const [known] = ask(store, { kind: "tails", path: tail.path });
  const lines = tail.text.slice(0, known?.offset ?? 0).split("\n");
  if (lines.pop() !== "") wrong("the followed file counts as read up to the middle of a line");
  for (const line of lines) look(tail.stream, line);
  const accepted = store.state.ledgers.find(({ stream }) => stream === tail.stream)?.accepted ?? 0;
  if (accepted !== lines.length) wrong(`${accepted} lines were taken of a file that was read for ${lines.length}`);
}

/** A repeat of the request under its key, as the intake would ask for it. */
function keyFaults(store: Store, { stream, events }: ToldRequest, key: string, positions: Positions): CutFault[] {
  const hashes = Buffer.concat(events.map((text) => contentHash(parsed(text)).subarray(0, CONTENT_HASH_BYTES)));
  const outcome = ask(store, {
    ...{
      kind: "append",
      stream,
      scope: NO_SCOPE,
      receivedAt: 0,
      events: packEvents(events),
      strict: false,
    },
    idempotency: { key, hashes, ownIds: new Uint8Array(events.length) },
  });
  const known = knownIn(outcome.kind === "durable" ? outcome.known : NONE_KNOWN);
  const isKnown = events.every((text, index) => {
    // Those of a body that was taken whole are all of its events.
    const before = known.at(index);
    return before?.index === index && before.same && before.position === positions.get(placeKey(stream, text));
  });
  return isKnown ? [] : [{ kind: "lost", what: `${key} of ${stream} is not known, its request was answered` }];
}

function parsed(text: string): JsonObject {
  const scanned = scanJson(text, { eventsMax: 1, eventBytesMax: 1_000_000 });
  const [event] = scanned.kind === "invalid" ? [] : scanned.events;
  if (event === undefined) throw new Error(`no event: ${text}`);
  return event.value;
}

/** All that waits or is held, by `STREAM POSITION`. */
function heldIn(store: Store): Held {
  const pending = new Map<string, string>();
  for (const { stream } of store.state.ledgers) {
    for (let from = 1; ; ) {
      const outcome = ask(store, { kind: "read", stream, from, ...EVERYTHING });
      if (outcome.kind === "nothing") break;
      if (outcome.kind !== "run") throw new Error(`events of ${stream} from ${from}: ${outcome.kind}`);
      const { first, events } = outcome.run;
      events.ends.forEach((_, index) => {
        pending.set(`${stream} ${first + index}`, textOf(eventBytes(events, index)));
      });
      from = first + events.ends.length;
    }
  }
  const events = ask(store, { kind: "quarantined", state: "held", after: 0, limit: 100_000 });
  const quarantined = events.map(({ stream, position, event }) => [`${stream} ${position}`, textOf(event)] as const);
  return { pending, quarantined: new Map(quarantined) };
}

const EVERYTHING = { until: Number.MAX_SAFE_INTEGER, bytesMax: 1e9, eventsMax: 1e6 };

const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8");

function ask<O extends Operation>(store: Store, operation: O): Outcome<O> {
  return store.run([operation]).outcomes[0];
}
