/** What a request costs, by D1's own account. */
import { expect, it } from "vitest";
import { Statement } from "../../worker/database/statement.ts";
import * as holds from "../../worker/delivery/holds-sql.ts";
import * as outbox from "../../worker/delivery/outbox-sql.ts";
import * as withdraw from "../../worker/delivery/withdraw-sql.ts";
import * as eventsSql from "../../worker/ledger/events-sql.ts";
import * as facts from "../../worker/ledger/facts-sql.ts";
import * as filing from "../../worker/ledger/filing-sql.ts";
import * as index from "../../worker/ledger/index-sql.ts";
import * as ledger from "../../worker/ledger/ledger-sql.ts";
import * as quarantine from "../../worker/ledger/quarantine-sql.ts";
import * as retention from "../../worker/retention/retention-sql.ts";
import * as usage from "../../worker/usage/usage-sql.ts";
import { bindings, connectEdge, events, setupEdge } from "./support/edge.ts";
import { type Step, tapRuntime } from "./support/tapped.ts";

async function recordedEdge(
  meter: string,
  stream: Record<string, unknown> = {},
  sections: Record<string, unknown> = {},
) {
  const stable = await setupEdge();
  await stable.putCatalog({ streams: [{ meter_global_id: meter, ...stream }], ...sections });
  const steps: Step[] = [];
  const tapped = tapRuntime({ after: (step) => steps.push(step) });
  const edge = connectEdge(stable.tenant, { bindings: tapped.bindings, runtime: { fetch: tapped.fetch } });
  const rowsWritten = () => steps.flatMap((step) => step.meta ?? []).reduce((sum, meta) => sum + meta.rows_written, 0);
  return { edge, steps, rowsWritten };
}

it("a producer's common request is one D1 batch, and one batch only", async () => {
  const { edge, steps } = await recordedEdge("one-batch");
  const post = (first: number) =>
    edge.post("one-batch", `[${events(100, first).join(",")}]`, {
      "weir-producer": "p",
      "weir-sequence": String(first),
    });
  expect((await post(0)).status).toBe(200);
  steps.length = 0;
  expect((await post(100)).status).toBe(200);
  expect(steps.map((step) => step.name)).toEqual(["D1 batch", "queue.send"]);
});

it("a keyed event's common request is one D1 batch as well", async () => {
  const { edge, steps } = await recordedEdge("one-batch-keyed");
  await edge.post("one-batch-keyed", `[${events(100).join(",")}]`);
  steps.length = 0;
  await edge.post("one-batch-keyed", `[${events(100, 100).join(",")}]`);
  expect(steps.map((step) => step.name)).toEqual(["D1 batch", "queue.send"]);
});

it("rows written an event, delivery included, stay below 0.02 from producers at 1,000 a batch", async () => {
  const { edge, rowsWritten } = await recordedEdge("rows-producer");
  for (let batch = 0; batch < 5; batch++) {
    const headers = { "weir-producer": "p", "weir-sequence": String(batch * 1000 + 1) };
    await edge.post("rows-producer", `[${events(1000, batch * 1000).join(",")}]`, headers);
    await edge.services.delivery.sweep();
  }
  expect(await edge.ledger()).toMatchObject([{ accepted: 5000, delivered: 5000, gaps: [] }]);
  const perEvent = rowsWritten() / 5000;
  console.log(`rows written an event from producers, delivery included: ${perEvent}`);
  expect(perEvent).toBeLessThanOrEqual(0.02);
});

it("rows written an event, delivery included, stay below 1.1 for keyed events at 1,000 a batch", async () => {
  const { edge, rowsWritten } = await recordedEdge("rows-keyed");
  for (let batch = 0; batch < 3; batch++) {
    await edge.post("rows-keyed", `[${events(1000, batch * 1000).join(",")}]`);
    await edge.services.delivery.sweep();
  }
  const perEvent = rowsWritten() / 3000;
  console.log(`rows written an event, keyed, delivery included: ${perEvent}`);
  expect(perEvent).toBeLessThanOrEqual(1.1);
});

it("an event that is priced costs two rows more, its folding next to none, at 1,000 a batch", async () => {
  const meter = {
    id: "metr_1",
    reference: "m",
    status: "ACTIVE",
    meter_values: [{ reference: "v", type: "NUMBER", calculation: "SUM", required: true }],
  };
  const feeds = { meter_reference: "m", meter_value_reference: "v" };
  const { edge, rowsWritten } = await recordedEdge("rows-priced", { feeds }, { meters: [meter] });
  for (let batch = 0; batch < 3; batch++) {
    const headers = { "weir-producer": "p", "weir-sequence": String(batch * 1000 + 1) };
    expect((await edge.post("rows-priced", `[${events(1000, batch * 1000).join(",")}]`, headers)).status).toBe(200);
    await edge.services.delivery.sweep();
    await edge.services.usageFold.fold(edge.tenant);
  }
  const perEvent = rowsWritten() / 3000;
  console.log(`rows written an event that is priced, folding included: ${perEvent}`);
  expect(perEvent).toBeGreaterThan(2);
  expect(perEvent).toBeLessThanOrEqual(2.05);
});

/** Parameters bound to nothing: a plan does not depend on their values. */
async function planOf({ sql, names }: Plannable): Promise<string[]> {
  const { results } = await bindings.LEDGER.prepare(`EXPLAIN QUERY PLAN ${sql}`)
    .bind(...names.map(() => null))
    .all<{ detail: string }>();
  return results.map((row) => row.detail);
}

type Plannable = Pick<Statement<Record<never, never>, never>, "sql" | "names">;

const statements = Object.entries({
  events: eventsSql,
  facts,
  filing,
  holds,
  index,
  ledger,
  outbox,
  quarantine,
  retention,
  usage,
  withdraw,
}).flatMap(([file, exported]) =>
  Object.entries(exported).flatMap(([name, one]) =>
    [one]
      .flat()
      .flatMap((each, i): [string, Plannable][] =>
        each instanceof Statement ? [[`${file} ${name}${Array.isArray(one) ? ` ${i}` : ""}`, each]] : [],
      ),
  ),
);

it("the statements whose plans are looked at are there", () => {
  expect(statements.length).toBeGreaterThan(60);
});

it.each(statements)("%s seeks by an index and scans no table", async (_name, statement) => {
  await setupEdge();
  const plan = await planOf(statement);
  const scans = plan.filter(
    (step) =>
      /^SCAN /.test(step) &&
      !/^SCAN (\S+ VIRTUAL TABLE|run|wanted|part|json_each|found|tenants|packed|unpacked|listed|lanes|newest|page|listed|CONSTANT ROW|\(subquery)/.test(
        step,
      ),
  );
  expect(scans, plan.join("\n")).toEqual([]);
  // All that a tenant ever had is no seek either.
  expect(plan.filter((step) => /^SEARCH facts .*\(tenant=\?\)$/.test(step) && !step.includes("PRIMARY KEY"))).toEqual(
    [],
  );
});
