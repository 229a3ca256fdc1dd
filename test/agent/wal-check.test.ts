import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { walDamage } from "../../agent/buffer/disk/wal-check.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { createRandom } from "../shared/random-json.ts";

const SECTOR_BYTES = 512;
const FRAME_BYTES = 24 + 4096;
const frameAt = (number: number) => 32 + number * FRAME_BYTES;

/** Opens a database, and a log beside it; frames are written to its log until it is carried over by hand. */
function open(file: string) {
  const db = new DatabaseSync(file);
  onTestFinished(() => db.close());
  db.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
    CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, v BLOB);`);
  const write = db.prepare("INSERT OR REPLACE INTO t VALUES (?, randomblob(3000))");
  return {
    /** One transaction that changes so many pages. */
    change(pages: number) {
      db.exec("BEGIN");
      for (let id = 1; id <= pages; id++) write.run(id);
      db.exec("COMMIT");
    },
    /** So many transactions that change one page each. */
    commits(count: number) {
      for (let n = 0; n < count; n++) write.run(7);
    },
    carryOver: () => db.exec("PRAGMA wal_checkpoint(RESTART)"),
    log: () => readFileSync(`${file}-wal`),
  };
}

/** A database of 30 rows, each of which fills a page. */
function setup() {
  const { path, remove } = tempDir("weir-wal");
  onTestFinished(remove);
  const file = join(path, "a.db");
  const made = open(file);
  made.change(30);
  return { file, ...made };
}

/** Opens a copy of the database beside another log. */
function reopened(file: string, log: Buffer) {
  const copy = `${file}-copy`;
  cpSync(file, copy);
  writeFileSync(`${copy}-wal`, log);
  return open(copy);
}

/** `after` with sectors of `before` from the byte on where the two begin to differ. */
function torn(before: Buffer, after: Buffer, from: number, isNew: (sector: number) => boolean): Buffer {
  const left = Buffer.from(after);
  for (let sector = Math.floor(from / SECTOR_BYTES); sector * SECTOR_BYTES < left.length; sector++) {
    if (isNew(sector)) continue;
    const [start, end] = [Math.max(from, sector * SECTOR_BYTES), Math.min(left.length, (sector + 1) * SECTOR_BYTES)];
    left.fill(0, start, end);
    before.subarray(start, end).copy(left, start);
  }
  return left;
}

/** A log in its second round, whose last transaction of 20 pages lies over commits of one page each. */
function secondRound() {
  const { change, commits, carryOver, log } = setup();
  commits(80);
  carryOver();
  commits(30);
  const before = log();
  change(20);
  return { before, after: log(), from: frameAt(30) };
}

test("whichever sectors of the last transaction are there, it is torn, never damaged", () => {
  const { before, after, from } = secondRound();
  for (let seed = 1; seed <= 300; seed++) {
    const random = createRandom(seed);
    const share = random.pick([0.03, 0.5, 0.97]);
    const left = torn(before, after, from, () => random.chance(share));
    expect([seed, walDamage(left)]).toEqual([seed, null]);
  }
});

test("a frame whose header lies across two sectors, of which the old one marks a commit, is torn", () => {
  const { before, after, from } = secondRound();
  // Frame 41's page number and size end a sector, its salts and sums begin the next.
  const cut = (frameAt(41) + 8) / SECTOR_BYTES;
  expect(Number.isInteger(cut)).toBe(true);
  expect(before.readUInt32BE(frameAt(41) + 4)).toBeGreaterThan(0);
  expect(walDamage(torn(before, after, from, (sector) => sector !== cut - 1))).toBeNull();
});

test("what a torn transaction left behind does not make the next torn one look damaged", () => {
  const first = setup();
  first.commits(5);
  const [before, from] = [first.log(), first.log().length];
  first.change(20);
  const hole = Math.ceil((from + 2 * FRAME_BYTES) / SECTOR_BYTES);
  const left = torn(before, first.log(), from, (sector) => sector !== hole);

  // It never was, but most of its frames still lie behind those that are written over its first ones.
  const second = reopened(first.file, left);
  second.commits(1);
  const answered = second.log();
  expect(answered.subarray(from + 4 * FRAME_BYTES).equals(left.subarray(from + 4 * FRAME_BYTES))).toBe(true);
  second.change(4);
  for (let seed = 1; seed <= 100; seed++) {
    const random = createRandom(seed);
    const share = random.pick([0.1, 0.5, 0.97]);
    const tornAgain = torn(answered, second.log(), from + FRAME_BYTES, () => random.chance(share));
    expect([seed, walDamage(tornAgain)]).toEqual([seed, null]);
  }
});

test("a byte changed in any transaction but the last two is damage", () => {
  const { change, commits, log } = setup();
  commits(40);
  change(20);
  const whole = log();
  commits(2);
  const later = log();
  const random = createRandom(1);
  for (let n = 0; n < 300; n++) {
    const at = random.below(whole.length);
    later[at] = (later[at] ?? 0) ^ 0xff;
    expect([at, walDamage(later)]).toEqual([at, expect.stringMatching(/^the write-ahead log is damaged/)]);
    later[at] = (later[at] ?? 0) ^ 0xff;
  }
  expect(walDamage(later)).toBeNull();
});
