/** Reads rows typed as the schema says; a column of another type is a bug in our SQL or damage, never a value. */
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementResultingChanges } from "node:sqlite";
import { COLUMN_TYPES } from "./schema.ts";

interface Values {
  readonly integer: number;
  readonly text: string;
  readonly blob: Uint8Array;
  readonly "integer or null": number | null;
  readonly "text or null": string | null;
  readonly "blob or null": Uint8Array | null;
}

export type Column = keyof typeof COLUMN_TYPES;

/** A row of those columns. */
export type Row<C extends Column> = { readonly [N in C]: Values[(typeof COLUMN_TYPES)[N]] };

/** What a statement's `:name`s stand for. */
export type Bindings = Record<string, SQLInputValue>;

export interface Query<C extends Column> {
  /** The first row, or null. */
  get(bindings?: Bindings): Row<C> | null;
  all(bindings?: Bindings): Row<C>[];
  /** One at a time; nothing may be written meanwhile. */
  iterate(bindings?: Bindings): Iterable<Row<C>>;
}

/**
 * Prepares a query whose rows have `columns`.
 * @throws TypeError from reading, where a row lacks one or has it with another type.
 */
export function query<C extends Column>(db: DatabaseSync, columns: readonly C[], sql: string): Query<C> {
  const { prepared, valuesOf } = prepare(db, sql);
  const typed = (row: SQLRow) => typedRow(row, columns);
  return {
    get(bindings = {}) {
      const row = prepared.get(...valuesOf(bindings));
      return row === undefined ? null : typed(row);
    },
    all: (bindings = {}) => prepared.all(...valuesOf(bindings)).map(typed),
    *iterate(bindings = {}) {
      for (const row of prepared.iterate(...valuesOf(bindings))) yield typed(row);
    },
  };
}

export interface Statement {
  run(bindings: Bindings): StatementResultingChanges;
}

/** Prepares a statement that gives no rows. */
export function statement(db: DatabaseSync, sql: string): Statement {
  const { prepared, valuesOf } = prepare(db, sql);
  return { run: (bindings) => prepared.run(...valuesOf(bindings)) };
}

/**
 * Names are turned into places here, once: node:sqlite would look each of them up at every call, which costs an append
 * half its speed.
 */
function prepare(db: DatabaseSync, sql: string) {
  const names: string[] = [];
  const text = sql.replace(/:([a-z]+)/gi, (_, name: string) => {
    names.push(name);
    return "?";
  });
  const valuesOf = (bindings: Bindings): SQLInputValue[] =>
    names.map((name) => {
      const value = bindings[name];
      if (value === undefined) throw new TypeError(`no value for :${name} in ${sql}`);
      return value;
    });
  return { prepared: db.prepare(text), valuesOf };
}

type SQLRow = Record<string, SQLOutputValue>;

function typedRow<C extends Column>(row: SQLRow, columns: readonly C[]): Row<C> {
  for (const column of columns) {
    if (!isOfType(row[column], COLUMN_TYPES[column]))
      throw new TypeError(`column ${column} is no ${COLUMN_TYPES[column]}`);
  }
  // Each of its columns was looked at just now.
  return row as Row<C>;
}

function isOfType(value: SQLOutputValue | undefined, type: keyof Values): boolean {
  switch (type) {
    case "integer":
      return typeof value === "number";
    case "text":
      return typeof value === "string";
    case "blob":
      return value instanceof Uint8Array;
    case "integer or null":
      return value === null || typeof value === "number";
    case "text or null":
      return value === null || typeof value === "string";
    case "blob or null":
      return value === null || value instanceof Uint8Array;
  }
}

/** Prepares a query that gives one number: a pragma, a count or a sum. */
export function number(db: DatabaseSync, sql: string): (bindings?: Bindings) => number {
  const { prepared, valuesOf } = prepare(db, sql);
  return (bindings = {}) => {
    const [value] = Object.values(prepared.get(...valuesOf(bindings)) ?? {});
    if (typeof value !== "number") throw new TypeError(`no number: ${sql}`);
    return value;
  };
}
