/**
 * SQL whose parameters have names. D1 takes only `?` and `?NNN`: a list in which one value too many or two in the
 * wrong order is found by nobody. Here a statement says what it is given and what its rows look like, and D1's rows,
 * which come without a type, get it at this one place.
 */

export type SqlValue = string | number | null | Uint8Array;

/** Values by the names that stand in the text behind a colon. */
type Named<Values> = { readonly [Name in keyof Values]: SqlValue };

/** A quoted text, in which a colon is a colon, or a name. */
const QUOTED_OR_NAME = /'(?:[^']|'')*'|"(?:[^"]|"")*"|:([A-Za-z]\w*)/g;

export class Statement<Values extends Named<Values>, Row> {
  /** As D1 takes it: each name is a number, the first to stand in the text is 1. */
  readonly sql: string;
  /** In the order of their numbers. */
  readonly names: readonly string[];

  constructor(text: string) {
    const names: string[] = [];
    this.sql = text.replace(QUOTED_OR_NAME, (found, name: string | undefined) => {
      if (name === undefined) return found;
      if (!names.includes(name)) names.push(name);
      return `?${names.indexOf(name) + 1}`;
    });
    this.names = names;
  }

  /** @throws Error where a name has no value, or a value no name. */
  bind(db: D1Database, values: Values): D1PreparedStatement {
    return db.prepare(this.sql).bind(...this.list(values));
  }

  /** @throws as `bind`, and where D1 fails. */
  async all(db: D1Database, values: Values): Promise<Row[]> {
    return this.rows(await this.bind(db, values).all());
  }

  /** Null where there is no row. */
  async first(db: D1Database, values: Values): Promise<Row | null> {
    return this.bind(db, values).first<Row>();
  }

  /** This statement's rows out of a `batch()`. */
  rows(result: D1Result | undefined): Row[] {
    return (result?.results ?? []) as Row[];
  }

  private list(values: Values): SqlValue[] {
    const given: Readonly<Record<string, SqlValue>> = values;
    const list = this.names.map((name) => {
      const value = Object.hasOwn(given, name) ? given[name] : undefined;
      if (value === undefined) throw new Error(`:${name} has no value in ${this.sql}`);
      return value;
    });
    if (Object.keys(given).length === list.length) return list;
    const surplus = Object.keys(given).filter((name) => !this.names.includes(name));
    throw new Error(`there is no :${surplus.join(", no :")} in ${this.sql}`);
  }
}

/**
 * @param Values what is bound, by name. @param Row what it gives; `never` for a statement that gives nothing.
 * @example statement<{ tenant: string }, { stream: string }>("SELECT stream FROM counters WHERE tenant = :tenant")
 */
export function statement<Values extends Named<Values>, Row = never>(text: string): Statement<Values, Row> {
  return new Statement(text);
}
