/** The memory of bodies: what is found, what is forgotten, and that an undone transaction leaves no trace. */
import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type BodyTable, createBodyTable } from "../../agent/buffer/tables/bodies.ts";
import { createHashIndex, rowMark, rowOf } from "../../agent/buffer/tables/hash-index.ts";
import { upgrade } from "../../agent/buffer/tables/schema.ts";

const hashOf = (name: number) => Uint8Array.from(createHash("sha256").update(String(name)).digest().subarray(0, 16));

function openDatabase(): DatabaseSync {
  const db = new DatabaseSync(":memory:");
  upgrade(db);
  return db;
}

function within(db: DatabaseSync, table: BodyTable, work: () => void, ends: "COMMIT" | "ROLLBACK" = "COMMIT"): void {
  db.exec("BEGIN");
  work();
  db.exec(ends);
  if (ends === "COMMIT") table.committed();
  else table.rolledBack();
}

test("the newest are known, however many there were; the oldest are forgotten, and a new opening knows the same", () => {
  const db = openDatabase();
  const table = createBodyTable(db, 1000);
  within(db, table, () => {
    for (let n = 0; n < 5000; n++) table.keep(hashOf(n), { firstPosition: n, receivedAt: n });
  });
  const knownIn = (of: BodyTable) =>
    Array.from({ length: 5000 }, (_, n) => n).filter((n) => of.find(hashOf(n)) !== null);
  const known = knownIn(table);
  expect(known.length).toBeGreaterThanOrEqual(1000);
  expect(known.length).toBeLessThan(1064);
  expect(known.slice(-1000)).toEqual(Array.from({ length: 1000 }, (_, i) => 4000 + i));
  expect(knownIn(createBodyTable(db, 1000))).toEqual(known);
  expect(db.prepare("SELECT count(*) AS n FROM bodies").get()?.["n"]).toBe(known.length);
});

test("what was undone is not known, and what it forgot is", () => {
  const db = openDatabase();
  const table = createBodyTable(db, 64);
  within(db, table, () => {
    for (let n = 0; n < 127; n++) table.keep(hashOf(n), { firstPosition: n, receivedAt: 0 });
  });
  const undone = () => {
    table.keep(hashOf(1000), { firstPosition: 1, receivedAt: 0 });
    expect(table.find(hashOf(1000))).not.toBeNull();
    expect(table.find(hashOf(0))).toBeNull();
  };
  within(db, table, undone, "ROLLBACK");
  expect(table.find(hashOf(1000))).toBeNull();
  expect(table.find(hashOf(0))).toEqual({ firstPosition: 0, receivedAt: 0 });
  within(db, table, () => table.keep(hashOf(1001), { firstPosition: 7, receivedAt: 8 }));
  expect(table.find(hashOf(1001))).toEqual({ firstPosition: 7, receivedAt: 8 });
});

test("the index finds what is in it and nothing else, with any hashes alike", () => {
  // Few tags, so that runs of slots overlap, and at the end of the table wrap around.
  const hash = fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32 - 2, 2 ** 32 - 2 ** 22).map((tag) => {
    const bytes = new Uint8Array(16);
    new DataView(bytes.buffer).setUint32(0, tag);
    return bytes;
  });
  const step = fc.record({ hash, row: fc.integer({ min: 1, max: 40 }), removes: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const index = createHashIndex();
      const model = new Map<string, Uint8Array>();
      for (const { hash: bytes, row, removes } of steps) {
        const key = `${bytes.join()} ${row}`;
        if (removes) {
          model.delete(key);
          index.remove(bytes, rowMark(row));
        } else if (!model.has(key)) {
          model.set(key, bytes);
          index.add(bytes, rowMark(row));
        }
        const there = [...model].filter(([, other]) => other.join() === bytes.join()).map(([found]) => found);
        expect(
          index
            .marks(bytes)
            .map((mark) => `${bytes.join()} ${rowOf(mark, 40)}`)
            .sort(),
        ).toEqual(there.sort());
      }
    }),
  );
});

test("it grows, and rows beyond four billion are known from their marks", () => {
  const index = createHashIndex();
  const first = 2 ** 32 - 5000;
  for (let n = 0; n < 10_000; n++) index.add(hashOf(n), rowMark(first + n));
  for (let n = 0; n < 10_000; n++) {
    expect(index.marks(hashOf(n)).map((mark) => rowOf(mark, first + 9999))).toContain(first + n);
  }
});
