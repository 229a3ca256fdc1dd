import { describe, expect, test } from "vitest";
import { readFileCalls } from "./file-calls.ts";
import { readSystemCalls } from "./system-calls.ts";

const hex = (text: string) =>
  `"${[...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}"`;
const A = hex("/disk/a");

const read = (...lines: readonly string[]) => readFileCalls([readSystemCalls(lines.join("\n"))], "/disk");

/** What was done to files, without lines, bytes as text. */
const done = (...lines: readonly string[]) =>
  read(...lines).operations.map(({ began: _, ended: __, ...operation }) =>
    operation.kind === "change" && operation.change.kind === "write"
      ? { ...operation, change: { ...operation.change, bytes: operation.change.bytes.toString() } }
      : operation,
  );

const OPENED = `7 openat(AT_FDCWD, ${A}, O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 5`;
const WRITTEN = (offset: number, bytes: string) => ({
  kind: "change",
  file: 0,
  change: { kind: "write", offset, bytes },
});

describe("a trace's lines", () => {
  test("a call that another thread's came between counts from its first line to its last", () => {
    const calls = readSystemCalls(
      ["1 fsync(5 <unfinished ...>", `2 write(9, ${hex("x")}, 1) = 1`, "1 <... fsync resumed>)  = 0"].join("\n"),
      100,
    );
    expect(calls).toEqual([
      { name: "fsync", args: "5", result: 0, began: 100, ended: 102 },
      { name: "write", args: `9, ${hex("x")}, 1`, result: 1, began: 101, ended: 101 },
    ]);
  });

  test("a call that never came back has no end; signals and ends of threads are no calls", () => {
    const lines = ["1 fsync(5 <unfinished ...>", "1 --- SIGTERM {si_signo=SIGTERM} ---", "1 +++ killed by SIGKILL +++"];
    expect(readSystemCalls(lines.join("\n"))).toEqual([
      { name: "fsync", args: "5", result: Number.NaN, began: 0, ended: Number.POSITIVE_INFINITY },
    ]);
  });

  test("a line that cannot be read is reported", () => {
    expect(() => readSystemCalls("1 fsync(5", 40)).toThrow("trace line 40 cannot be read");
  });
});

describe("calls on files", () => {
  test("writes at an offset, one after the other, and at the end", () => {
    expect(
      done(
        OPENED,
        `7 pwrite64(5, ${hex("abc")}, 3, 20) = 3`,
        `7 write(5, ${hex("de")}, 2) = 2`,
        `7 writev(5, [{iov_base=${hex("f")}, iov_len=1}, {iov_base=${hex("gh")}, iov_len=2}], 2) = 3`,
        `7 openat(AT_FDCWD, ${A}, O_WRONLY|O_CREAT|O_APPEND|O_CLOEXEC, 0600) = 6`,
        `7 write(6, ${hex("end")}, 3) = 3`,
      ),
    ).toEqual([
      { kind: "make-file", path: "/disk/a", file: 0 },
      WRITTEN(20, "abc"),
      WRITTEN(0, "de"),
      WRITTEN(2, "fgh"),
      WRITTEN(23, "end"),
    ]);
  });

  test("a write that took less than it was given counts for what it took; one that failed for nothing", () => {
    const failed = `7 pwrite64(5, ${hex("abc")}, 3, 0) = -1 ENOSPC (No space left on device)`;
    expect(done(OPENED, `7 pwrite64(5, ${hex("abc")}, 3, 0) = 2`, failed)).toEqual([
      { kind: "make-file", path: "/disk/a", file: 0 },
      WRITTEN(0, "ab"),
    ]);
  });

  test("sizes, syncs and names, of files and directories", () => {
    const [made, inside, other] = ["/disk/d", "/disk/d/x", "/disk/d/y"].map(hex);
    expect(
      done(
        `7 mkdir(${made}, 0700)       = 0`,
        `7 openat(AT_FDCWD, ${inside}, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0600) = 5`,
        "7 ftruncate(5, 9) = 0",
        "7 fdatasync(5) = 0",
        "7 close(5) = 0",
        `7 openat(AT_FDCWD, ${inside}, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0600) = 5`,
        `7 rename(${inside}, ${other}) = 0`,
        `7 openat(AT_FDCWD, ${made}, O_RDONLY|O_CLOEXEC) = 6`,
        "7 fsync(6) = 0",
        `7 unlink(${other}) = 0`,
      ),
    ).toEqual([
      { kind: "make-directory", path: "/disk/d" },
      { kind: "make-file", path: "/disk/d/x", file: 0 },
      { kind: "change", file: 0, change: { kind: "resize", size: 9 } },
      { kind: "sync", file: 0 },
      { kind: "change", file: 0, change: { kind: "resize", size: 0 } },
      { kind: "rename", from: "/disk/d/x", to: "/disk/d/y", file: 0 },
      { kind: "sync-directory", path: "/disk/d" },
      { kind: "remove", path: "/disk/d/y" },
    ]);
  });

  test("a number that was closed and given again is the new file's, though the close came back later", () => {
    const b = hex("/disk/b");
    expect(
      done(
        OPENED,
        `8 openat(AT_FDCWD, ${b}, O_RDWR|O_CREAT, 0600 <unfinished ...>`,
        "7 close(5 <unfinished ...>",
        "8 <... openat resumed>) = 5",
        "7 <... close resumed>) = 0",
        `8 pwrite64(5, ${hex("b")}, 1, 0) = 1`,
      ).at(-1),
    ).toEqual({ ...WRITTEN(0, "b"), file: 1 });
  });

  test("a file outside, and a number that means one, is nobody's concern", () => {
    const outside = `7 openat(AT_FDCWD, ${hex("/disk-other/a")}, O_RDWR|O_CREAT, 0600) = 5`;
    expect(done(outside, `7 pwrite64(5, ${hex("x")}, 1, 0) = 1`, "7 dup(5) = 6")).toEqual([]);
  });

  test.each([
    ["7 dup(5) = 6"],
    ["7 fallocate(5, 0, 0, 4096) = 0"],
    ["7 lseek(5, 0, SEEK_SET) = 0"],
    [`7 link(${A}, ${hex("/disk/b")}) = 0`],
    [`7 rename(${A}, ${hex("/elsewhere/a")}) = 0`],
    ["7 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 5, 0) = 0x7f0000000000"],
  ])("what is not modelled is refused, not passed over: %s", (line) => {
    expect(() => read(OPENED, line)).toThrow("is not modelled");
  });

  test("a sync that its process did not outlive covers nothing; of a change nobody knows, and that is said", () => {
    expect(done(OPENED, "7 fsync(5 <unfinished ...>")).toEqual([{ kind: "make-file", path: "/disk/a", file: 0 }]);
    expect(() => read(OPENED, "7 ftruncate(5, 0 <unfinished ...>) = ?")).toThrow("the process ended within ftruncate");
  });
});

describe("answers", () => {
  const answer = (status: number) => hex(`HTTP/1.1 ${status} OK\r\nzuora-track-id: one\r\nDate: x\r\n\r\n{}`);

  test("a 200 counts from the first line of the write that its head went out with", () => {
    const lines = [
      `7 writev(30, [{iov_base=${answer(200)}, iov_len=60}], 1 <unfinished ...>`,
      "7 <... writev resumed>) = 60",
    ];
    expect(read("7 fsync(99) = 0", ...lines).acknowledgements).toEqual([{ trackId: "one", at: 1 }]);
  });

  test("another status is no acknowledgement", () => {
    expect(read(`7 write(30, ${answer(429)}, 60) = 60`).acknowledgements).toEqual([]);
  });
});
