import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { boundsOf } from "../../agent/buffer/disk/bounds.ts";
import { openDatabase } from "../../agent/buffer/disk/database.ts";
import { openStore, type Store } from "../../agent/buffer/store.ts";
import { NO_SCOPE } from "../../agent/buffer/tables/scope.ts";
import type { Operation } from "../../agent/buffer/transactions/operations.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { packEvents } from "./support/pack-events.ts";

const EVENTS = 40;

const appendOf = (text: string): Operation => ({
  kind: "append",
  stream: "usage/m",
  scope: NO_SCOPE,
  receivedAt: 1000,
  events: packEvents([JSON.stringify(text)]),
  idempotency: null,
  strict: true,
});

/** A buffer directory as a kill leaves it: forty commits, the first ten carried over into the main file. */
function killedBuffer(): string {
  const { path, remove } = tempDir("weir-damage");
  onTestFinished(remove);
  const [live, killed] = [join(path, "live"), join(path, "killed")];
  let store = openStore({ directory: live, bytesMax: 1e8 });
  store.run([
    {
      kind: "remember",
      metadata: [
        ["id", "plant"],
        ["log", "first"],
      ],
    },
  ]);
  for (let n = 1; n <= 10; n++) store.run([appendOf(`event ${n}`)]);
  store.close();
  store = openStore({ directory: live, bytesMax: 1e8 });
  for (let n = 11; n <= EVENTS; n++) store.run([appendOf(`event ${n}`)]);
  cpSync(live, killed, { recursive: true });
  store.close();
  return killed;
}

function open(directory: string): Store {
  const store = openStore({ directory, bytesMax: 1e8 });
  onTestFinished(() => store.close());
  return store;
}

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  writeFileSync(file, bytes);
}

const main = (directory: string) => join(directory, "buffer.db");
const wal = (directory: string) => join(directory, "buffer.db-wal");
const accepted = (store: Store) => store.state.ledgers[0]?.accepted ?? 0;

interface Row {
  readonly what: string;
  readonly damage: (directory: string) => void;
  readonly reason: RegExp;
}

const PAGE = 4096;

/** Otherwise the WAL would heal what is changed in the main file. */
function closeCleanly(directory: string): void {
  openStore({ directory, bytesMax: 1e8 }).close();
}

const ROWS: readonly Row[] = [
  {
    what: "a changed byte in the main file's header",
    damage: (d) => {
      closeCleanly(d);
      flip(main(d), 3);
    },
    reason: /not a database/,
  },
  {
    what: "a changed byte in a page's own header",
    damage: (d) => {
      closeCleanly(d);
      flip(main(d), 4 * PAGE);
    },
    reason: /./,
  },
  { what: "a changed byte in the middle of the WAL", damage: (d) => flip(wal(d), 20_000), reason: /in the middle/ },
  { what: "a changed frame salt in the WAL", damage: (d) => flip(wal(d), 32 + 4 * 4120 + 9), reason: /in the middle/ },
  { what: "a changed byte in the WAL's header", damage: (d) => flip(wal(d), 17), reason: /the header/ },
  { what: "a WAL that is gone", damage: (d) => rmSync(wal(d)), reason: /write-ahead log is missing/ },
  { what: "a WAL that was emptied", damage: (d) => truncateSync(wal(d), 0), reason: /write-ahead log is missing/ },
  { what: "a main file of no bytes", damage: (d) => truncateSync(main(d), 0), reason: /main file is empty/ },
  { what: "a main file that is gone", damage: (d) => rmSync(main(d)), reason: /main file is missing/ },
  {
    what: "a file that is no database",
    damage: (d) => {
      rmSync(wal(d));
      writeFileSync(main(d), "no database, but long enough to be taken for one".repeat(100));
    },
    reason: /not a database/,
  },
  {
    what: "another program's database",
    damage: (d) => {
      for (const file of [wal(d), main(d)]) rmSync(file);
      const db = new DatabaseSync(main(d));
      db.exec("CREATE TABLE theirs (a)");
      db.close();
    },
    reason: /no agent's buffer/,
  },
];

describe("a damaged log is set aside whole and reported, and a new one accepts events", () => {
  test.each(ROWS)("$what", ({ damage, reason }) => {
    const directory = killedBuffer();
    damage(directory);
    const before = new Map(
      [main(directory), wal(directory)]
        .filter((file) => (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0)
        .map((file) => [file.slice(directory.length + 1), readFileSync(file)]),
    );
    const store = open(directory);
    const { setAside } = store.state;
    expect(setAside?.reason).toMatch(reason);
    for (const [name, bytes] of before) {
      // SQLite itself may have carried the log over before it met the damage: then nothing is missing either.
      const kept = readFileSync(join(setAside?.directory ?? "", name));
      expect([name, kept.length >= bytes.length]).toEqual([name, true]);
    }
    expect(readFileSync(join(setAside?.directory ?? "", "reason.txt"), "utf8")).toMatch(reason);
    // The made-up name is the directory's; the log's own name is not there, so positions begin anew under a new one.
    expect([store.state.metadata.get("id"), store.state.metadata.get("log")]).toEqual(["plant", undefined]);
    expect(store.run([appendOf("after")]).outcomes).toMatchObject([{ kind: "durable", firstPosition: 1 }]);
  });
});

test("a log that SQLite carried over and closed by itself, as it does where a process just ends, is whole", () => {
  const directory = killedBuffer();
  openDatabase(directory, boundsOf(1e8)).close();
  expect(existsSync(wal(directory))).toBe(false);
  const store = open(directory);
  expect([store.state.setAside, accepted(store)]).toEqual([null, EVENTS]);
});

test("a kept name that a power cut emptied names no log", () => {
  const directory = killedBuffer();
  writeFileSync(join(directory, "name"), "");
  rmSync(main(directory));
  expect(open(directory).state.metadata.get("id")).toBeUndefined();
});

test("what is left of a reserve that was not finished takes no room", () => {
  const directory = killedBuffer();
  writeFileSync(join(directory, "reserve.part"), Buffer.alloc(1000));
  open(directory);
  expect(readdirSync(directory)).toContain("reserve");
  expect(readdirSync(directory)).not.toContain("reserve.part");
});

test("a WAL torn in its last transaction loses that one alone, which nobody was answered", () => {
  const directory = killedBuffer();
  const bytes = readFileSync(wal(directory));
  truncateSync(wal(directory), bytes.length - 1000);
  const store = open(directory);
  expect(store.state.setAside).toBeNull();
  expect(accepted(store)).toBe(EVENTS - 1);
});

test("a WAL whose last frame was half written is torn, not damaged", () => {
  const directory = killedBuffer();
  flip(wal(directory), readFileSync(wal(directory)).length - 10);
  const store = open(directory);
  expect(store.state.setAside).toBeNull();
  expect(accepted(store)).toBe(EVENTS - 1);
});

test("left as a kill leaves it, a log is opened with all that was answered for", () => {
  const store = open(killedBuffer());
  expect([store.state.setAside, accepted(store)]).toEqual([null, EVENTS]);
});

test("an event whose bytes changed on disk is not sent, and its neighbours are", () => {
  const directory = killedBuffer();
  openStore({ directory, bytesMax: 1e8 }).close();
  const at = readFileSync(main(directory)).indexOf('"event 7"');
  expect(at).toBeGreaterThan(0);
  flip(main(directory), at + 7);
  const store = open(directory);
  expect(store.state.setAside).toBeNull();
  const wanted = { stream: "usage/m", until: Number.MAX_SAFE_INTEGER, bytesMax: 1e6, eventsMax: 100 };
  const [front, there] = store.run([
    { kind: "read", from: 0, ...wanted },
    { kind: "read", from: 7, ...wanted },
  ]).outcomes;
  expect(front?.kind === "run" && front.run.events.ends.length).toBe(6);
  expect(there).toMatchObject({ kind: "damaged", first: 7, count: 1 });
});
