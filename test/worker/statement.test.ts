/** SQL with named parameters: what D1 is given, and what is refused before it is asked. */
import { expect, expectTypeOf, it } from "vitest";
import type { BatchRow, QuarantineRow } from "../../worker/database/rows.ts";
import { type SqlValue, statement } from "../../worker/database/statement.ts";
import { bindings } from "./support/edge.ts";

const db = bindings.LEDGER;

/** As a caller without types would bind. */
const untyped = (text: string) => statement<Record<string, SqlValue>, Record<string, unknown>>(text);

it("a value reaches every place that its name has, whatever the order of the values", async () => {
  const both = statement<{ a: number; b: string }, { x: number; y: string; z: number }>(
    "SELECT :a AS x, :b AS y, :a + 1 AS z",
  );
  expect(both.sql).toBe("SELECT ?1 AS x, ?2 AS y, ?1 + 1 AS z");
  expect(await both.first(db, { b: "b", a: 1 })).toEqual({ x: 1, y: "b", z: 2 });
});

it("a name that begins like another is another", async () => {
  expect(await untyped("SELECT :first AS a, :firstDay AS b").first(db, { firstDay: 2, first: 1 })).toEqual({
    a: 1,
    b: 2,
  });
});

it("a colon in a quoted text or name is no parameter", async () => {
  const quoted = untyped(`SELECT ':a' AS x, 'it''s :b' AS y, :c AS "z:d"`);
  expect(quoted.names).toEqual(["c"]);
  expect(await quoted.first(db, { c: 3 })).toEqual({ x: ":a", y: "it's :b", "z:d": 3 });
});

it("null and bytes are values", async () => {
  const found = untyped("SELECT :none IS NULL AS a, hex(:bytes) AS b");
  expect(await found.first(db, { none: null, bytes: new Uint8Array([1, 255]) })).toEqual({ a: 1, b: "01FF" });
});

it("a missing value is refused by its name", () => {
  expect(() => untyped("SELECT :a, :b").bind(db, { a: 1 })).toThrow(/^:b has no value in SELECT \?1, \?2$/);
});

it("a name that only an object's prototype has is missing", () => {
  expect(() => untyped("SELECT :toString").bind(db, {})).toThrow(/:toString has no value/);
});

it("surplus values are refused by their names", () => {
  const values = { a: 1, b: 2, c: 3 };
  expect(() => untyped("SELECT :a").bind(db, values)).toThrow(/^there is no :b, no :c in SELECT \?1$/);
});

it("rows come out of a batch by their statement, none where there is no result", async () => {
  const one = statement<{ a: number }, { x: number }>("SELECT :a AS x");
  const results = await db.batch([one.bind(db, { a: 1 }), one.bind(db, { a: 2 })]);
  expect(results.map((result) => one.rows(result))).toEqual([[{ x: 1 }], [{ x: 2 }]]);
  expect(one.rows(results[2])).toEqual([]);
  expect(await one.all(db, { a: 7 })).toEqual([{ x: 7 }]);
  expect(await statement<{ a: number }, { x: number }>("SELECT 1 AS x WHERE :a > 1").first(db, { a: 1 })).toBe(null);
});

it("rows have the schema's types by the columns' own names", () => {
  expectTypeOf<BatchRow["idempotency_key"]>().toEqualTypeOf<string | null>();
  expectTypeOf<BatchRow["received_at"]>().toEqualTypeOf<number>();
  expectTypeOf<QuarantineRow["state"]>().toEqualTypeOf<"open" | "replayed" | "discarded">();
  expectTypeOf<BatchRow>().not.toHaveProperty("idempotencyKey");
});
