import { expect, test } from "vitest";
import { printable } from "../../shared/printable.ts";

test("text of others is shown with its control characters escaped", () => {
  expect(printable("a\u001b[2Jb\nc\u009bd\u202ee\u2028f\u0000g\ud800")).toBe(
    "a\\u001b[2Jb\\u000ac\\u009bd\\u202ee\\u2028f\\u0000g\\ud800",
  );
  expect(printable("größer 💶 \\u001b")).toBe("größer 💶 \\u001b");
});

test("it is cut to 200 characters, never through one", () => {
  expect(printable("x".repeat(200))).toBe("x".repeat(200));
  expect(printable("x".repeat(201))).toBe(`${"x".repeat(200)}…`);
  expect(printable("💶".repeat(300_000))).toBe(`${"💶".repeat(200)}…`);
});
