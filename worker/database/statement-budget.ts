/**
 * What one invocation may execute at D1, which bounds it: shared by all that the invocation does, so that no part of it
 * takes what another must still write down.
 */

/** D1 executes a thousand an invocation; the rest is a margin for what is not counted here. */
export const STATEMENTS_MAX = 600;

export interface StatementBudget {
  /** Counts what it executes, the statements of a `batch()` each by itself. */
  readonly db: D1Database;
  /** Whether so many more fit beside what was executed and what is set aside. */
  has(count: number): boolean;
  /** Keeps statements for what must still be executed. @returns gives them back, once. */
  setAside(count: number): () => void;
}

export function createBudget(of: D1Database, max = STATEMENTS_MAX): StatementBudget {
  const { db, statements } = meterDatabase(of);
  let aside = 0;
  return {
    db,
    has: (count) => statements() + aside + count <= max,
    setAside(count) {
      let kept = count;
      aside += kept;
      return () => {
        aside -= kept;
        kept = 0;
      };
    },
  };
}

function meterDatabase(db: D1Database): { readonly db: D1Database; statements(): number } {
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
