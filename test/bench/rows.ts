/** Every row that `npm run bench` has: its name, what is measured beside what, and what limits it today. */
import type { Identity, IntakeLoad } from "./intake.ts";
import type { Compared } from "./measure.ts";

/** What is measured together, and stands together in docs/performance.md. */
export const GROUPS = ["edge", "edge-drain", "agent", "packaged", "backlog", "ledger-size"] as const;
export type Group = (typeof GROUPS)[number];

export interface Row {
  readonly name: string;
  readonly group: Group;
  readonly title: string;
  /** What stands in the floor's columns. */
  readonly floorIs: string;
  readonly compared: Compared;
  /** What keeps it from its floor now, by its profile. To be put right with the product: the document repeats it. */
  readonly limit: string;
}

export interface IntakeRow extends Row {
  readonly load: IntakeLoad;
  /** Events a second to begin with: what comes after goes by what was measured. */
  readonly guess: number;
}

const EDGE_FLOOR = "a Worker that parses, and stores the bytes in one statement";
const KEYED_FLOOR = `${EDGE_FLOOR}, a key an event in another`;
const FIRST_TIME = "the same requests the first time";
const AGENT_FLOOR = "node:http and node:sqlite, a row a request, shared commits";

const BY: Readonly<Record<Identity, string>> = {
  positions: "positions of a producer",
  content: "by content",
  ids: "by own id",
};

function requestsOf({ size, gzip }: IntakeLoad): string {
  const events = size === 1 ? "one event a request" : `${size.toLocaleString("en-US")} events a request`;
  return gzip ? `${events}, gzip` : events;
}

function nameOf({ identity, size, gzip }: IntakeLoad): string {
  return `edge-${identity}-${size}${gzip ? "-gzip" : ""}`;
}

const FEW = 4;
const MANY = 32;
const AGENT_SINGLES = 64;

const BY_HASHES =
  "each event's own work: its scan, its digest, a slice of the index, and a content hash and an id where its position does not make it known; workerd's part in JavaScript, D1's is small";
const BY_KEYS = `${BY_HASHES}; and a row in the tree of keys for each`;
const BY_STATEMENTS = "the statements of a request: its transaction takes longer than its events";
const BY_SCAN = "the scan and the comparison with what is stored";

function edgeRow(identity: Identity, size: number, gzip: boolean, limit: string): IntakeRow {
  const load = { identity, size, gzip, connections: size === 1 ? MANY : FEW };
  return {
    ...{ name: nameOf(load), group: "edge", title: `${BY[identity]}, ${requestsOf(load)}`, limit, load },
    floorIs: identity === "positions" ? EDGE_FLOOR : KEYED_FLOOR,
    compared: "eventsPerSecond",
    guess: size === 1 ? 400 : 10_000,
  };
}

/** Each is also sent a second time: {@link againOf}. */
export const EDGE_INTAKE: readonly IntakeRow[] = [
  edgeRow("positions", 1000, false, BY_HASHES),
  edgeRow("positions", 1000, true, BY_HASHES),
  edgeRow("positions", 100, false, BY_HASHES),
  edgeRow("positions", 1, false, BY_STATEMENTS),
  edgeRow("content", 1000, false, BY_KEYS),
  edgeRow("content", 1000, true, BY_KEYS),
  edgeRow("content", 100, false, BY_KEYS),
  edgeRow("content", 1, false, BY_STATEMENTS),
  edgeRow("ids", 1000, false, BY_KEYS),
  edgeRow("ids", 100, false, BY_KEYS),
  edgeRow("ids", 1, false, BY_STATEMENTS),
];

/** The row of a row's requests sent once more. */
export function againOf(row: IntakeRow): Row {
  const { name, group, title, compared } = row;
  return {
    ...{ group, compared },
    name: `${name}-again`,
    title: `${title}, again`,
    floorIs: FIRST_TIME,
    limit: BY_SCAN,
  };
}

export const CALCULATE: Row = {
  ...{ name: "edge-calculate", group: "edge", title: "a price calculated, one client", floorIs: "GET /healthz" },
  compared: "p50Ms",
  limit: "the reads of catalog and usage so far in one snapshot",
};

export const DRAIN_1000: Row = {
  ...{ name: "edge-drain-1000", group: "edge-drain", title: "delivery of batches of 1,000 events" },
  floorIs: "a Worker that reads a page of rows, posts it, deletes it",
  compared: "eventsPerSecond",
  limit: "a call's parts read, packed, sent and settled, by turns with those of others",
};
export const DRAIN_1: Row = {
  ...{ name: "edge-drain-1", group: "edge-drain", title: "delivery of batches of one event" },
  floorIs: DRAIN_1000.floorIs,
  compared: "eventsPerSecond",
  limit: "a row of the outbox and one of the batches for each event",
};
export const BESIDE_DRAIN: Row = {
  ...{
    name: "edge-beside-drain",
    group: "edge-drain",
    title: "intake (positions, 100 a request) beside a full-speed drain",
  },
  floorIs: "the same intake while nothing is delivered",
  compared: "p99Ms",
  limit: "D1 does one statement after the other: a delivery's reads hold up a request's transaction",
};

function agentRow(group: "agent" | "packaged", size: number): IntakeRow {
  const load = { identity: "content", size, gzip: false, connections: size === 1 ? AGENT_SINGLES : FEW } as const;
  const how = group === "agent" ? "from the checkout" : "packaged";
  return {
    ...{ name: `${group}-${size}`, group, title: `${requestsOf(load)}, ${how}`, floorIs: AGENT_FLOOR, load },
    compared: "eventsPerSecond",
    limit:
      size === 1
        ? "the HTTP of each request in one thread, and the collector, a quarter of that thread's time, whose young generation is small"
        : "one commit at a time, and both threads wait for each other",
    guess: size === 1 ? 2_000 : 30_000,
  };
}

const SIZES = [1, 100, 1000] as const;
export const AGENT_INTAKE: readonly IntakeRow[] = SIZES.map((size) => agentRow("agent", size));
export const PACKAGED_INTAKE: readonly IntakeRow[] = SIZES.map((size) => agentRow("packaged", size));

export interface BacklogRows {
  readonly program: "checkout" | "packaged";
  readonly drain: Row;
  readonly beside: Row;
}

function backlogRows(program: "checkout" | "packaged"): BacklogRows {
  const how = program === "checkout" ? "from the checkout" : "packaged";
  return {
    program,
    drain: {
      ...{ name: `backlog-${program}`, group: "backlog", title: `a backlog drained, ${how}`, floorIs: AGENT_FLOOR },
      compared: "eventsPerSecond",
      limit: "gzip and the calls' round trips; the counting sink takes a good part of the other core",
    },
    beside: {
      ...{
        name: `backlog-${program}-beside`,
        group: "backlog",
        title: `intake (100 a request) beside such a drain, ${how}`,
      },
      floorIs: "the same intake while nothing is delivered",
      compared: "p99Ms",
      limit: "reads for calls and commits of requests are done by one thread, by turns",
    },
  };
}

export const BACKLOGS: readonly BacklogRows[] = [backlogRows("checkout"), backlogRows("packaged")];

/** Stands in a path for the id of the newest event. */
export const NEWEST = "{id}";

export interface ReadRow extends Row {
  /** What an administrator asks for. */
  readonly path: string;
}

const EMPTY = "the same on an empty ledger";

function sizeIntakeRow(identity: Identity): IntakeRow {
  const load = { identity, size: 1000, connections: FEW, gzip: false };
  return {
    ...{
      name: `size-${identity}-1000`,
      group: "ledger-size",
      title: `${BY[identity]}, ${requestsOf(load)}, on a large ledger`,
    },
    ...{ floorIs: EMPTY, compared: "eventsPerSecond", load, guess: 10_000 },
    limit:
      identity === "positions"
        ? "what each event costs on any ledger"
        : "each key lands on a page of its own in a large tree, which is read, and written thrice",
  };
}

function readRow(name: string, path: string): ReadRow {
  return {
    ...{
      name: `size-read-${name}`,
      group: "ledger-size",
      title: `\`GET ${path}\` on a large ledger`,
      floorIs: EMPTY,
      path,
    },
    ...{ compared: "p50Ms", limit: "the rows of its page: it seeks by an index, and what it passes over is bounded" },
  };
}

/** On a ledger of many keys and batches: an option of its own, for it takes minutes to make one. */
export const LEDGER_INTAKE: readonly IntakeRow[] = (["positions", "content", "ids"] as const).map(sizeIntakeRow);
export const LEDGER_READS: readonly ReadRow[] = [
  readRow("ledger", "/admin/ledger"),
  readRow("ledger-producer", "/admin/ledger?producer=p7"),
  readRow("ledger-gaps", "/admin/ledger?producer=gappy"),
  readRow("ledger-gaps-after", "/admin/ledger?producer=gappy&gaps_after=50001"),
  readRow("events", "/admin/events"),
  readRow("events-1000", "/admin/events?limit=1000"),
  readRow("events-stream", "/admin/events?stream=usage/large"),
  readRow("events-pending", "/admin/events?state=pending"),
  readRow("events-delivered", "/admin/events?state=delivered"),
  readRow("events-quarantined", "/admin/events?state=quarantined"),
  readRow("events-producer", "/admin/events?producer=p7"),
  readRow("events-producer-pending", "/admin/events?state=pending&producer=p7"),
  readRow("events-customer", "/admin/events?customer=nobody"),
  readRow("events-from", "/admin/events?from=2026-11-01T00:00:00Z"),
  readRow("events-own-id", "/admin/events?own_id=abc"),
  readRow("event", `/admin/events/${NEWEST}`),
  readRow("quarantine", "/admin/quarantine"),
  readRow("stats", "/admin/stats"),
  readRow("metrics", "/metrics"),
  readRow("healthz", "/healthz"),
];
export const BESIDE_READS: Row = {
  ...{ name: "size-beside-reads", group: "ledger-size" },
  title: "intake (positions, 100 a request) on a large ledger beside one client that reads all of these by turns",
  ...{ floorIs: "the same intake, nobody reading", compared: "p99Ms" },
  limit: "D1 does one statement after the other: the longest read is what a request may wait for",
};

export const LEDGER_SIZE_ROWS: readonly Row[] = [...LEDGER_INTAKE, ...LEDGER_READS, BESIDE_READS];

export const ROWS: readonly Row[] = [
  ...EDGE_INTAKE.flatMap((row) => [row, againOf(row)]),
  CALCULATE,
  ...[DRAIN_1000, DRAIN_1, BESIDE_DRAIN],
  ...AGENT_INTAKE,
  ...PACKAGED_INTAKE,
  ...BACKLOGS.flatMap(({ drain, beside }) => [drain, beside]),
  ...LEDGER_SIZE_ROWS,
];

/**
 * The rows of these names, or groups, or beginnings of names up to a hyphen, and the word that fits none; where none is given
 * all but those of `ledger-size`.
 */
export function chosenRows(words: readonly string[]): {
  readonly rows: readonly Row[];
  readonly unknown: string | null;
} {
  const fits = (row: Row, word: string) => row.group === word || row.name === word || row.name.startsWith(`${word}-`);
  const unknown = words.find((word) => !ROWS.some((row) => fits(row, word))) ?? null;
  const usual = ROWS.filter(({ group }) => group !== "ledger-size");
  return { rows: words.length === 0 ? usual : ROWS.filter((row) => words.some((word) => fits(row, word))), unknown };
}
