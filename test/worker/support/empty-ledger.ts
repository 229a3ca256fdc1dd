/** Files that run one after the other in one workerd leave nothing of the ledger to the next. */
import { afterAll } from "vitest";
import { bindings } from "./edge.ts";

const OWN_TO_SQLITE = "name LIKE 'sqlite_%' OR name LIKE '_cf_%' OR name = 'd1_migrations'";

afterAll(async () => {
  const { LEDGER } = bindings;
  const { results } = await LEDGER.prepare(
    `SELECT name FROM sqlite_master WHERE type = 'table' AND NOT (${OWN_TO_SQLITE})`,
  ).all<{ name: string }>();
  if (results.length > 0) await LEDGER.batch(results.map(({ name }) => LEDGER.prepare(`DELETE FROM "${name}"`)));
});
