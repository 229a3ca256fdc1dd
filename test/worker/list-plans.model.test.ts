/** What D1 does for a list, by every combination of the filters that its route accepts: it seeks, and sorts nothing. */
import { beforeAll, expect, it } from "vitest";
import { routes } from "../../worker/routes.ts";
import { modelRuns } from "../support/model-runs.ts";
import { bindings, connectEdge, event, setupEdge, type TestEdge } from "./support/edge.ts";
import { type Step, tapRuntime } from "./support/tapped.ts";

/** Filters of one request, where not all or all but one are named. */
const CHOSEN_MAX = modelRuns({ full: Number.POSITIVE_INFINITY, short: 2 });

interface QueryParameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly example?: unknown;
}

const lists = routes.filter(
  ({ method, path, operation }) => method === "get" && !path.includes("/:id") && queryOf(operation).length > 0,
);

let edge: TestEdge;
const steps: Step[] = [];

beforeAll(async () => {
  const { tenant } = await setupEdge();
  await bindings.LEDGER.prepare("UPDATE api_keys SET permissions = ?1 WHERE tenant = ?2")
    .bind(JSON.stringify(["METER_DATA.INGEST", "WEIR.ADMIN", "WEIR.OPERATOR"]), tenant)
    .run();
  edge = connectEdge(tenant, tapped());
  await edge.putCatalog({ streams: [{ meter_global_id: "web-egress" }] });
  // Something of each sort: where nothing is there a list may not ask what it would of a full ledger.
  const headers = { prefer: "handling=lenient", "weir-producer": "plant-7" };
  await edge.post("web-egress", `[${event()},{}]`, { ...headers, "weir-sequence": "1" });
  await edge.post("web-egress", `[${event({ n: 2 })}]`, { ...headers, "weir-sequence": "9" });
  await edge.post("web-egress", event({ n: 3 }), { "idempotency-key": "nightly-2026-11-20" });
});

function tapped() {
  const { bindings: own, fetch } = tapRuntime({ after: (step) => steps.push(step) });
  return { bindings: own, runtime: { fetch } };
}

function queryOf(operation: Readonly<Record<string, unknown>>): QueryParameter[] {
  const parameters = (operation["parameters"] ?? []) as QueryParameter[];
  return parameters.filter((one) => one.in === "query" && one.name !== "tenant" && one.name !== "cursor");
}

/**
 * Every choice of some of the parameters, those that must be there always among them; in a short run of one, of two, of
 * all but one and of all.
 */
function choicesOf(parameters: readonly QueryParameter[]): QueryParameter[][] {
  const free = parameters.filter(({ required }) => !required);
  const isChosen = (size: number) => size <= CHOSEN_MAX || size >= free.length - 1;
  return Array.from({ length: 2 ** free.length }, (_, chosen) => free.filter((_one, i) => (chosen >> i) % 2 === 1))
    .filter(({ length }) => isChosen(length))
    .map((choice) => [...parameters.filter(({ required }) => required), ...choice]);
}

async function pagesOf(path: string, choice: readonly QueryParameter[]): Promise<void> {
  const query = new URLSearchParams(choice.map(({ name, example }) => [name, String(example ?? "x")]));
  for (let pages = 0; pages < 2; pages++) {
    const answer = await edge.request(`${path}?${query}`);
    expect([path, String(query), answer.status]).toEqual([path, String(query), 200]);
    const { next } = await answer.json<{ next?: string | null }>();
    if (typeof next !== "string") return;
    query.set("cursor", next);
  }
}

it("the lists are there", () => {
  expect(lists.map(({ path }) => path)).toEqual(
    expect.arrayContaining(["/admin/events", "/admin/ledger", "/ledger", "/admin/quarantine", "/admin/api-keys"]),
  );
});

it.each(lists.map(({ path, operation }) => ({ path, operation })))(
  "$path seeks whatever it is narrowed by",
  async ({ path, operation }) => {
    steps.length = 0;
    const at = path.replace(/:version\{[^}]*\}/, "v1");
    for (const choice of choicesOf(queryOf(operation))) await pagesOf(at, choice);
    const asked = new Set(steps.flatMap((step) => step.statements ?? []));
    const trouble: string[] = [];
    for (const sql of asked) {
      if (!/^\s*(SELECT|WITH)\b/i.test(sql)) continue;
      trouble.push(...(await scansOf(sql)).map((step) => `${step} in ${sql}`));
    }
    expect(trouble).toEqual([]);
  },
);

const TABLES =
  /^SCAN (api_keys|attempts|batches|catalogs|counters|destinations|facts|fact_runs|holds|index_\w+|keys|outbox|quarantine|ranges|reprocess_groups|shipments|shipment_parts|tenants|totals|beyond|replay)\b/;

/** Steps of a statement's plan that read a whole table, or sort what an index has in order. */
async function scansOf(sql: string): Promise<string[]> {
  const count = new Set(sql.match(/\?\d+/g)).size || (sql.match(/\?/g)?.length ?? 0);
  const { results } = await bindings.LEDGER.prepare(`EXPLAIN QUERY PLAN ${sql}`)
    .bind(...Array.from({ length: count }, () => null))
    .all<{ detail: string }>();
  return results.map(({ detail }) => detail).filter((detail) => TABLES.test(detail));
}
