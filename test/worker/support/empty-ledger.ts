/** Files that run one after the other in one workerd leave nothing of the ledger to the next, and no row too large for D1. */
import { afterAll, expect } from "vitest";
import { bindings } from "./edge.ts";

/** D1 takes 2,000,000 bytes a row. */
const ROW_BYTES_MAX = 2_000_000;

const OWN_TO_SQLITE = "name LIKE 'sqlite_%' OR name LIKE '_cf_%' OR name = 'd1_migrations'";

afterAll(async () => {
  const { LEDGER } = bindings;
  const { results } = await LEDGER.prepare(
    `SELECT name FROM sqlite_master WHERE type = 'table' AND NOT (${OWN_TO_SQLITE})`,
  ).all<{ name: string }>();
  for (const { name } of results) expect(await largestRow(name), `largest row of ${name}`).toBeLessThan(ROW_BYTES_MAX);
  if (results.length > 0) await LEDGER.batch(results.map(({ name }) => LEDGER.prepare(`DELETE FROM "${name}"`)));
});

async function largestRow(table: string): Promise<number> {
  const { results } = await bindings.LEDGER.prepare(`SELECT name FROM pragma_table_info('${table}')`).all<{
    name: string;
  }>();
  const sum = results.map(({ name }) => `coalesce(octet_length("${name}"), 0)`).join(" + ");
  const row = await bindings.LEDGER.prepare(`SELECT max(${sum}) AS bytes FROM "${table}"`).first<{ bytes: number }>();
  return row?.bytes ?? 0;
}
