/** `npm run mutants` takes long and runs seldom: here only that what it would break is still there. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MUTANTS } from "../mutants/mutants.ts";
import { ROOT } from "../support/product-copy.ts";
import { sourceFiles, textOf } from "./source-imports.ts";

test.each(MUTANTS)("the mutant `$name` finds its text once, and its tests", ({ file, find, replace, tests }) => {
  const text = existsSync(join(ROOT, file)) ? textOf(file) : "";
  expect(text.split(find).length - 1, `times that ${file} holds the text`).toBe(1);
  expect(replace).not.toBe(find);
  expect(tests.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  expect(tests.length).toBeGreaterThan(0);
});

test("no two mutants have one name", () => {
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
});

test("what runs shorter in `npm test` is named so, for `npm run proof` finds its full length by the name", () => {
  const shortened = sourceFiles("test").filter((file) => /^import .*\/model-runs\.ts"/m.test(textOf(file)));
  expect(shortened.filter((file) => !file.endsWith(".model.test.ts"))).toEqual([]);
  expect(
    sourceFiles("test")
      .filter((file) => file.endsWith(".model.test.ts"))
      .toSorted(),
  ).toEqual(shortened.toSorted());
});
