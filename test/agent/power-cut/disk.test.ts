import { describe, expect, test } from "vitest";
import { createRandom } from "../../shared/random-json.ts";
import { cutPower, type DiskOperation } from "./disk.ts";
import type { FileChange } from "./file-image.ts";

/** An operation without its lines. */
type Step = DiskOperation extends infer One ? (One extends unknown ? Omit<One, "began" | "ended"> : never) : never;

/** Steps one after the other: step n begins on line 2n and ends on the next. */
const inTurn = (steps: readonly Step[]): DiskOperation[] =>
  steps.map((step, n) => ({ ...step, began: 2 * n, ended: 2 * n + 1 }) as DiskOperation);

const FILE = "/disk/a";
const made: Step = { kind: "make-file", path: FILE, file: 0 };
const named: Step = { kind: "sync-directory", path: "/disk" };
const synced: Step = { kind: "sync", file: 0 };
const change = (one: FileChange): Step => ({ kind: "change", file: 0, change: one });
const write = (offset: number, text: string): Step => change({ kind: "write", offset, bytes: Buffer.from(text) });
const resize = (size: number): Step => change({ kind: "resize", size });

/** Every different thing that cuts at a line leave of the file, by many seeds; null where it is not there. */
function leftAt(operations: readonly DiskOperation[], at = Number.POSITIVE_INFINITY): Set<string | null> {
  const seeds = Array.from({ length: 400 }, (_, seed) => seed);
  return new Set(
    seeds.map((seed) => cutPower(operations, "/disk", at, createRandom(seed)).files.get(FILE)?.toString() ?? null),
  );
}

describe("a power cut", () => {
  test("leaves what an fsync covered, whatever else is lost", () => {
    const operations = inTurn([made, named, write(0, "kept"), synced]);
    expect(leftAt(operations)).toEqual(new Set(["kept"]));
  });

  test("loses what an fsync was about to cover, until it came back", () => {
    const operations = inTurn([made, named, write(0, "kept"), synced]);
    expect(leftAt(operations, 7)).toEqual(new Set(["", "kept", "\0\0\0\0"]));
    expect(leftAt(operations, 8)).toEqual(new Set(["kept"]));
  });

  test("loses a write that had not ended when the fsync began", () => {
    const operations: DiskOperation[] = [
      ...inTurn([made, named]),
      { ...write(0, "late"), began: 4, ended: 6 } as DiskOperation,
      { ...synced, began: 5, ended: 7 } as DiskOperation,
    ];
    expect(leftAt(operations)).toContain("");
  });

  test("leaves nothing of what had not begun", () => {
    const operations = inTurn([made, named, write(0, "old"), synced, write(0, "new")]);
    expect(leftAt(operations, 8)).toEqual(new Set(["old"]));
  });

  test("leaves any of several unsynced writes, in whatever order they were made", () => {
    const operations = inTurn([made, named, write(0, "...."), synced, write(0, "a"), write(1, "b"), write(2, "c")]);
    const every = ["....", "a...", ".b..", "..c.", "ab..", "a.c.", ".bc.", "abc."];
    expect(leftAt(operations)).toEqual(new Set(every));
  });

  test("tears a write at the edges of sectors, and nowhere else", () => {
    const [old, young] = ["o".repeat(1536), "n".repeat(1400)];
    const operations = inTurn([made, named, write(0, old), synced, write(100, young)]);
    const left = leftAt(operations);
    expect(left.size).toBe(8);
    for (const text of left) {
      const sectors = [text?.slice(100, 512), text?.slice(512, 1024), text?.slice(1024, 1500)];
      for (const sector of sectors) expect(sector).toMatch(/^(o+|n+)$/);
      expect(text?.slice(0, 100) + (text?.slice(1500) ?? "")).toMatch(/^o+$/);
    }
  });

  test("fills with zeros what lies before a write that is there and was lost itself", () => {
    const operations = inTurn([made, named, write(0, "ab"), write(2, "cd")]);
    expect(leftAt(operations)).toEqual(new Set(["", "ab", "\0\0", "\0\0cd", "abcd", "ab\0\0", "\0\0\0\0"]));
  });

  test("leaves a file cut short or not, and what was cut off never comes back when it grows", () => {
    const operations = inTurn([made, named, write(0, "abcd"), synced, resize(1), resize(3)]);
    expect(leftAt(operations)).toEqual(new Set(["abcd", "a", "a\0\0", "abc"]));
  });

  test("loses a name whose directory was not synced, its fsynced content with it", () => {
    expect(leftAt(inTurn([made, write(0, "kept"), synced]))).toEqual(new Set([null, "kept"]));
  });

  test("leaves a name without its content", () => {
    expect(leftAt(inTurn([made, named, write(0, "gone")]))).toContain("");
  });

  test("loses what lies in a directory whose own name was not synced", () => {
    const inside = "/disk/made/a";
    const steps: Step[] = [
      { kind: "make-directory", path: "/disk/made" },
      { kind: "make-file", path: inside, file: 0 },
      write(0, "kept"),
      synced,
      { kind: "sync-directory", path: "/disk/made" },
    ];
    const seeds = Array.from({ length: 50 }, (_, seed) => seed);
    const isThere = (operations: readonly DiskOperation[]) =>
      new Set(seeds.map((seed) => cutPower(operations, "/disk", 99, createRandom(seed)).files.has(inside)));
    expect(isThere(inTurn(steps))).toEqual(new Set([true, false]));
    expect(isThere(inTurn([...steps, named]))).toEqual(new Set([true]));
  });

  test("leaves the first of a directory's changes, never a later one without those before it", () => {
    const paths = ["/disk/1", "/disk/2", "/disk/3"];
    const operations = inTurn([
      ...paths.map((path, file): Step => ({ kind: "make-file", path, file })),
      { kind: "remove", path: "/disk/1" },
    ]);
    const left = Array.from({ length: 100 }, (_, seed) => {
      const { files } = cutPower(operations, "/disk", 99, createRandom(seed));
      return paths.map((path) => (files.has(path) ? "x" : "-")).join("");
    });
    expect(new Set(left)).toEqual(new Set(["---", "x--", "xx-", "xxx", "-xx"]));
  });

  test("leaves a renamed file under one of its two names", () => {
    const operations = inTurn([
      { kind: "make-file", path: "/disk/b", file: 0 },
      write(0, "whole"),
      synced,
      named,
      { kind: "rename", from: "/disk/b", to: FILE, file: 0 },
    ]);
    for (let seed = 0; seed < 50; seed++) {
      const { files } = cutPower(operations, "/disk", 99, createRandom(seed));
      expect([...files.values()].map(String)).toEqual(["whole"]);
    }
    expect(leftAt(operations)).toEqual(new Set([null, "whole"]));
  });

  test("is the same one for the same seed", () => {
    const operations = inTurn([made, named, write(0, "x".repeat(5000)), write(600, "y".repeat(2000))]);
    const cut = () => cutPower(operations, "/disk", 99, createRandom(17));
    expect(cut()).toEqual(cut());
  });
});
