/** What rows are read as is what the tables hold. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { COLUMN_TYPES, upgrade } from "../../agent/buffer/tables/schema.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";

/** In no table: what queries compute. */
const COMPUTED = ["damaged", "events", "held"];

/** Each column of each table, as `COLUMN_TYPES` would name it, by the table's own account. */
function columnsOfTables(): { readonly table: string; readonly name: string; readonly type: string }[] {
  const { path, remove } = tempDir("weir-columns");
  const db = new DatabaseSync(join(path, "buffer.db"));
  onTestFinished(() => {
    db.close();
    remove();
  });
  upgrade(db);
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").all();
  return tables.flatMap(({ name: table }) =>
    db
      .prepare(`PRAGMA table_xinfo(${String(table)})`)
      .all()
      .map(({ name, type, notnull, pk }) => ({
        ...{ table: String(table), name: String(name) },
        type: `${String(type).toLowerCase()}${notnull === 1 || Number(pk) > 0 ? "" : " or null"}`,
      })),
  );
}

test("each column of the log's tables is read as what the table says it holds, and none is named that no table has", () => {
  const columns = columnsOfTables();
  expect(new Set(columns.map(({ table }) => table)).size).toBeGreaterThanOrEqual(9);
  const types: Readonly<Record<string, string>> = COLUMN_TYPES;
  const wrong = columns.filter(({ name, type }) => types[name] !== type);
  expect(wrong.map(({ table, name, type }) => `${table}.${name} is ${type}, read as ${types[name]}`)).toEqual([]);
  const known = new Set([...columns.map(({ name }) => name), ...COMPUTED]);
  expect(Object.keys(COLUMN_TYPES).filter((name) => !known.has(name))).toEqual([]);
});
