/** No circle of imports, neither of files nor of folders; imports of types count. */
import { describe, expect, test } from "vitest";
import { type Circle, circlesOfFiles, circlesOfFolders } from "./circles.ts";
import { importsOf, sourceFiles, textOf } from "./source-imports.ts";

/** Circles that are still to be opened, by their members. None may be added, and one that is open must go from here. */
const LEFT: { readonly files: readonly string[][]; readonly folders: readonly string[][] } = {
  files: [],
  folders: [],
};

const known = new Set(sourceFiles());
const imports = [...known].flatMap((file) => importsOf(file, textOf(file))).filter(({ target }) => known.has(target));

/** The circles that nobody knew of, with the imports that make them; and those that are gone. */
function compare(found: readonly Circle[], left: readonly string[][]) {
  const name = (members: readonly string[]) => members.join(" + ");
  const expected = new Set(left.map(name));
  const names = new Set(found.map(({ members }) => name(members)));
  return {
    new: found.filter(({ members }) => !expected.has(name(members))),
    gone: [...expected].filter((members) => !names.has(members)),
  };
}

test("no files import one another in a circle", () => {
  expect(compare(circlesOfFiles(imports), LEFT.files)).toEqual({ new: [], gone: [] });
});

test("no folders do, nor a folder and a file beside it", () => {
  expect(compare(circlesOfFolders(imports), LEFT.folders)).toEqual({ new: [], gone: [] });
});

/** `A → B` a line. */
function graph(...lines: string[]) {
  return lines.map((line) => {
    const [file = "", target = ""] = line.split(" → ");
    return { file, target };
  });
}

describe("a circle is found", () => {
  test("of two files, and its imports are named", () => {
    const [circle, ...others] = circlesOfFiles(graph("a/x.ts → a/y.ts", "a/y.ts → a/x.ts", "a/z.ts → a/x.ts"));
    expect(others).toEqual([]);
    expect(circle).toEqual({
      members: ["a/x.ts", "a/y.ts"],
      imports: ["a/x.ts imports a/y.ts", "a/y.ts imports a/x.ts"],
    });
  });

  test("of many files, however long the way round, and of a file alone", () => {
    const long = Array.from({ length: 50 }, (_, n) => `f${n}.ts → f${(n + 1) % 50}.ts`);
    expect(circlesOfFiles(graph(...long, "f3.ts → out.ts", "in.ts → f7.ts"))[0]?.members).toHaveLength(50);
    expect(circlesOfFiles(graph("a.ts → a.ts"))[0]?.members).toEqual(["a.ts"]);
  });

  test("of types alone, in the text of files", () => {
    const texts = { "a/x.ts": 'import type { Y } from "./y.ts";\n', "a/y.ts": 'import { type X } from "./x.ts";\n' };
    const found = Object.entries(texts).flatMap(([file, text]) => importsOf(file, text));
    expect(circlesOfFiles(found)[0]?.members).toEqual(["a/x.ts", "a/y.ts"]);
  });

  test("each of two that share no file", () => {
    const two = graph("a.ts → b.ts", "b.ts → a.ts", "b.ts → c.ts", "c.ts → d.ts", "d.ts → c.ts");
    expect(circlesOfFiles(two).map(({ members }) => members)).toEqual(
      expect.arrayContaining([
        ["a.ts", "b.ts"],
        ["c.ts", "d.ts"],
      ]),
    );
  });

  test("of folders of which no files make one, at whatever depth", () => {
    const apart = graph("r/a/deep/x.ts → r/b/y.ts", "r/b/z.ts → r/a/w.ts");
    expect(circlesOfFiles(apart)).toEqual([]);
    expect(circlesOfFolders(apart)).toEqual([
      {
        members: ["r/a/", "r/b/"],
        imports: ["r/a/deep/x.ts imports r/b/y.ts", "r/b/z.ts imports r/a/w.ts"],
      },
    ]);
  });

  test("of a folder and a file beside it", () => {
    const beside = graph("r/a/x.ts → r/own.ts", "r/own.ts → r/a/y.ts");
    expect(circlesOfFolders(beside)[0]?.members).toEqual(["r/a/", "r/own.ts"]);
  });
});

describe("none is found", () => {
  test("where files only share what they need", () => {
    expect(circlesOfFiles(graph("a.ts → b.ts", "a.ts → c.ts", "b.ts → d.ts", "c.ts → d.ts"))).toEqual([]);
  });

  test("between a folder and the files in it", () => {
    expect(circlesOfFolders(graph("r/head.ts → r/a/x.ts", "r/a/x.ts → r/terms.ts"))).toEqual([]);
  });
});

test("a circle that is new, or gone and still excused, is reported", () => {
  const found = circlesOfFiles(graph("a.ts → b.ts", "b.ts → a.ts"));
  expect(compare(found, []).new).toEqual(found);
  expect(compare(found, [["a.ts", "b.ts"]])).toEqual({ new: [], gone: [] });
  expect(compare([], [["a.ts", "b.ts"]]).gone).toEqual(["a.ts + b.ts"]);
});
