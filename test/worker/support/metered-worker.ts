/** The product's Worker, whose answers say what D1 did for them. Requests must come one after the other. */
import type { Bindings } from "../../../worker/env.ts";
import worker from "../../../worker/index.ts";

/** Rows read and statements of D1, and its own milliseconds, since the instance began. */
const total = { rows: 0, statements: 0, ms: 0, longestMs: 0 };

function count(results: readonly D1Result[]): void {
  for (const { meta } of results) {
    total.rows += meta.rows_read;
    total.statements++;
    total.ms += meta.duration;
  }
  total.longestMs = Math.max(
    total.longestMs,
    results.reduce((sum, { meta }) => sum + meta.duration, 0),
  );
}

function metered(db: D1Database): D1Database {
  const inner = new WeakMap<D1PreparedStatement, D1PreparedStatement>();
  const wrap = (statement: D1PreparedStatement): D1PreparedStatement => {
    const all = async () => {
      const result = await statement.all();
      count([result]);
      return result;
    };
    const wrapped = {
      bind: (...values: unknown[]) => wrap(statement.bind(...values)),
      all,
      run: all,
      async first(column?: string) {
        const [row] = (await all()).results as Record<string, unknown>[];
        return row === undefined ? null : column === undefined ? row : row[column];
      },
      // Without names two columns of one name would be two; whoever asks so here has none.
      raw: async () => ((await all()).results as Record<string, unknown>[]).map((row) => Object.values(row)),
    } as unknown as D1PreparedStatement;
    inner.set(wrapped, statement);
    return wrapped;
  };
  return {
    prepare: (sql: string) => wrap(db.prepare(sql)),
    async batch(statements: D1PreparedStatement[]) {
      const results = await db.batch(statements.map((statement) => inner.get(statement) ?? statement));
      count(results);
      return results;
    },
  } as unknown as D1Database;
}

const instances = new WeakMap<Bindings, Bindings>();

function meteredBindings(bindings: Bindings): Bindings {
  const known = instances.get(bindings);
  if (known !== undefined) return known;
  const made = { ...bindings, LEDGER: metered(bindings.LEDGER) };
  instances.set(bindings, made);
  return made;
}

export default {
  async fetch(request, bindings, context) {
    const before = { ...total };
    total.longestMs = 0;
    const answer = await worker.fetch(request, meteredBindings(bindings), context);
    const response = new Response(answer.body, answer);
    const { rows, statements, ms } = total;
    const spent = [rows - before.rows, statements - before.statements, ms - before.ms, total.longestMs];
    response.headers.set("x-d1", spent.join(" "));
    return response;
  },
  queue: (batch, bindings, context) => worker.queue(batch, meteredBindings(bindings), context),
  scheduled: (controller, bindings, context) => worker.scheduled(controller, meteredBindings(bindings), context),
} satisfies ExportedHandler<Bindings, never>;
