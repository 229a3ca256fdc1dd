import { expect, test } from "vitest";
import { readRefusal } from "../../shared/vendors/answer-body.ts";
import { weir } from "../../shared/vendors/weir.ts";

const read = (body: string | null, sent: number) =>
  weir.readSuccess({ status: 200, retryAfter: null, dateMs: null, body }, sent);
const ack = (body: unknown, sent: number) => read(JSON.stringify(body), sent);

test("a 2xx counts only when its counts add up to the events sent", () => {
  expect(ack({ accepted: 2, duplicates: 1 }, 3)).toEqual({ accounted: "all", conflicts: [] });
  expect(ack({ accepted: 1, quarantined: 2 }, 3)).toEqual({ accounted: "all", conflicts: [] });
  for (const body of [
    { accepted: 2 },
    { accepted: 4 },
    {},
    [],
    null,
    3,
    { accepted: "3" },
    { accepted: 4, duplicates: -1 },
  ]) {
    expect(ack(body, 3)).toEqual({ accounted: "none", conflicts: [] });
  }
  for (const body of [null, "", "<html>", '{"accepted":3']) {
    expect(read(body, 3)).toEqual({ accounted: "none", conflicts: [] });
  }
});

test("conflicts are those the results name, with the edge's reasons", () => {
  const results = [
    { index: 0, status: "accepted", id: "x" },
    { index: 1, status: "conflict", id: "y", reasons: [{ code: 70000009, message: "taken", field: "Id" }] },
  ];
  expect(ack({ accepted: 1, conflicts: 1, results }, 2)).toEqual({
    accounted: "all",
    conflicts: [{ index: 1, reason: { status: 200, code: 70000009, message: "taken", field: "Id" } }],
  });
});

test("conflicts that are counted but not named are looked for, and a single event needs no name", () => {
  expect(ack({ accepted: 1, conflicts: 1 }, 2)).toEqual({ accounted: "some", conflicts: [] });
  const outside = [{ index: 7, status: "conflict" }];
  expect(ack({ accepted: 1, conflicts: 1, results: outside }, 2)).toEqual({ accounted: "some", conflicts: [] });
  expect(ack({ conflicts: 1 }, 1)).toMatchObject({ accounted: "all", conflicts: [{ index: 0 }] });
});

test("a refusal is kept in the destination's own words", () => {
  const body = {
    success: false,
    message: "m",
    reasons: [{ code: 70000000, message: "bad", index: 0, field: "Quantity" }],
  };
  expect(readRefusal(400, JSON.stringify(body))).toEqual({
    status: 400,
    code: 70000000,
    message: "bad",
    field: "Quantity",
  });
  expect(readRefusal(413, "too much")).toEqual({ status: 413, message: "too much" });
  expect(readRefusal(413, null)).toEqual({ status: 413, message: "the destination answered 413" });
});
