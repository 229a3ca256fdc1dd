import { expect, test } from "vitest";
import { dollarsAMillion, firstLimit, scaleTable } from "../../tools/scale/reckon.ts";
import { readDocument } from "../support/markdown.ts";

test("the table of docs/scale.md is what its figures come to", () => {
  expect(readDocument("docs/scale.md")).toContain(`\n${scaleTable().join("\n")}\n`);
});

test("dollars fall with the size of a body and never rise with the rate", () => {
  expect(dollarsAMillion(1_000, 100, "positions")).toBeLessThan(dollarsAMillion(1_000, 1, "positions") / 20);
  expect(dollarsAMillion(100_000, 100, "keyed")).toBeLessThanOrEqual(dollarsAMillion(1_000, 100, "keyed"));
  expect(dollarsAMillion(1_000, 100, "keyed")).toBeGreaterThan(dollarsAMillion(1_000, 100, "positions"));
});

test("the first limit is none, the space or the thread", () => {
  expect(firstLimit(1, 1)).toEqual({ kind: "none" });
  expect(firstLimit(1_000, 100)).toMatchObject({ kind: "space" });
  expect(firstLimit(1_000, 1)).toEqual({ kind: "thread", databases: 10 });
});
