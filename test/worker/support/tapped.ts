/** The Worker's outside (D1, queue, fetch) with a tap on each step: to count what is done, or to die there. */
import { bindings } from "./edge.ts";

export interface Step {
  readonly name: string;
  /** Statements and what D1 itself says they cost; known after the step. */
  readonly statements?: readonly string[];
  readonly meta?: readonly D1Meta[];
}

export interface Tap {
  before?(step: Step): void;
  after?(step: Step): void;
}

export interface TappedRuntime {
  readonly bindings: { readonly LEDGER: D1Database; readonly NUDGES: Queue };
  readonly fetch: typeof fetch;
}

export function tapRuntime(tap: Tap): TappedRuntime {
  async function tapped<T>(step: Step, run: () => Promise<T>, metaOf?: (result: T) => readonly D1Meta[]): Promise<T> {
    tap.before?.(step);
    const result = await run();
    tap.after?.(metaOf === undefined ? step : { ...step, meta: metaOf(result) });
    return result;
  }
  const queue = { send: () => tapped({ name: "queue.send" }, async () => undefined) };
  return {
    bindings: { LEDGER: tapDatabase(bindings.LEDGER, tapped), NUDGES: queue as unknown as Queue },
    fetch: (input, init) => {
      const url = new URL(input instanceof Request ? input.url : String(input));
      return tapped({ name: `fetch ${url.pathname}` }, () => fetch(input, init));
    },
  };
}

type Tapped = <T>(step: Step, run: () => Promise<T>, metaOf?: (result: T) => readonly D1Meta[]) => Promise<T>;

function tapDatabase(db: D1Database, tapped: Tapped): D1Database {
  const inner = new WeakMap<object, { statement: D1PreparedStatement; sql: string }>();
  const wrap = (statement: D1PreparedStatement, sql: string): D1PreparedStatement => {
    const step = { name: `D1 ${sql.trim().split(/\s+/).slice(0, 3).join(" ")}`, statements: [sql] };
    const all = () =>
      tapped(
        step,
        () => statement.all(),
        (result) => [result.meta as D1Meta],
      );
    const wrapped = {
      bind: (...values: unknown[]) => wrap(statement.bind(...values), sql),
      all,
      run: all,
      first: async (column?: string) => {
        const [row] = (await all()).results as Record<string, unknown>[];
        return row === undefined ? null : column === undefined ? row : row[column];
      },
      raw: () => tapped(step, () => statement.raw()),
    } as unknown as D1PreparedStatement;
    inner.set(wrapped, { statement, sql });
    return wrapped;
  };
  return {
    prepare: (sql: string) => wrap(db.prepare(sql), sql),
    batch: (statements: D1PreparedStatement[]) => {
      const found = statements.map((statement) => inner.get(statement));
      const step = { name: "D1 batch", statements: found.map((item) => item?.sql ?? "") };
      const run = () => db.batch(found.flatMap((item) => (item === undefined ? [] : [item.statement])));
      return tapped(step, run, (results) => results.map((result) => result.meta as D1Meta));
    },
  } as unknown as D1Database;
}
