/** A database that counts the statements it executes, those of a `batch()` each by itself. */
export interface MeteredDatabase {
  readonly db: D1Database;
  statements(): number;
}

/** Of one invocation: D1 bounds what each may execute. */
export function meterDatabase(db: D1Database): MeteredDatabase {
  let executed = 0;
  const inner = new WeakMap<D1PreparedStatement, D1PreparedStatement>();
  const counted = <Result>(result: Promise<Result>): Promise<Result> => {
    executed++;
    return result;
  };
  const wrap = (statement: D1PreparedStatement): D1PreparedStatement => {
    const wrapped = {
      bind: (...values: unknown[]) => wrap(statement.bind(...values)),
      all: <T>() => counted(statement.all<T>()),
      run: <T>() => counted(statement.run<T>()),
      first: <T>(column?: string) => counted(column === undefined ? statement.first<T>() : statement.first<T>(column)),
    } as D1PreparedStatement;
    inner.set(wrapped, statement);
    return wrapped;
  };
  const metered = {
    prepare: (sql: string) => wrap(db.prepare(sql)),
    batch: <T>(statements: D1PreparedStatement[]) => {
      executed += statements.length;
      return db.batch<T>(statements.map((statement) => inner.get(statement) ?? statement));
    },
  } as D1Database;
  return { db: metered, statements: () => executed };
}
