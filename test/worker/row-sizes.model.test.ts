/** Whatever a body within its bounds holds: no value bound and no row is near what D1 takes, and the answer is never "try again". */
import { expect, it } from "vitest";
import { modelRuns } from "../support/model-runs.ts";
import { bindings, connectEdge, event, setupEdge } from "./support/edge.ts";

/** One event has a million bytes at most; what is bound holds it and little else. */
const BYTES_MAX = 1_200_000;
const LENIENT = { prefer: "handling=lenient" };
const MB = 1_000_000;

const repeatTo = (text: string, bytes: number) =>
  text.repeat(Math.floor(bytes / new TextEncoder().encode(text).length));
/** As many events as 4 MB take. */
const list = (one: (n: number) => string, most = 10_000) => {
  const count = Math.min(most, Math.floor((4 * MB - 10) / (new TextEncoder().encode(one(9_999)).length + 1)));
  return Array.from({ length: count }, (_, n) => one(n)).join(",");
};
const persist = (n: number, more: string) =>
  `{"customer_id":null,"pricing_id":"p","pricing_item_id":"p","pricing_item_config_id":"p","pricing_plan_subscription_id":null,"reference":"r${n}",${more}}`;
const invalid = (more: string) => event().replace('"Quantity":1', `"Quantity":"x",${more}`);

interface Shape {
  readonly name: string;
  readonly path?: string;
  readonly body: () => string;
  readonly headers?: Record<string, string>;
}

const SHAPES: readonly Shape[] = [
  {
    name: "an invalid event of escapes, which a JSON text has twice",
    body: () => invalid(`"t":"${repeatTo("\\\\", 0.99985 * MB)}"`),
    headers: LENIENT,
  },
  {
    name: "an invalid value of a megabyte in a field that is checked",
    body: () => event({ Quantity: "\\".repeat(0.49993 * MB) }),
    headers: LENIENT,
  },
  {
    name: "5,850 invalid events",
    body: () => `[${list((n) => invalid(`"n":${n},"t":"${"x".repeat(560)}"`), 5_850)}]`,
    headers: LENIENT,
  },
  { name: "ten thousand empty ones, each with every reason", body: () => `[${list(() => "{}")}]`, headers: LENIENT },
  {
    name: "four of them",
    body: () =>
      `[${Array(4)
        .fill(invalid(`"t":"${repeatTo('\\"', 0.99985 * MB)}"`))
        .join(",")}]`,
    headers: LENIENT,
  },
  {
    name: "an invalid event with a name of a megabyte",
    body: () => `{"${repeatTo("k", 0.99985 * MB)}":1}`,
    headers: LENIENT,
  },
  {
    name: "valid events of letters of three bytes",
    body: () => `[${list((n) => event({ n, t: "\u20ac".repeat(330_000) }))}]`,
  },
  { name: "small events of such letters", body: () => `[${list((n) => event({ n, t: "\u20ac".repeat(60) }))}]` },
  {
    name: "ten thousand positions, every second one invalid",
    body: () => `[${list((n) => (n % 2 ? "{}" : event({ n })))}]`,
    headers: { ...LENIENT, "weir-producer": "p", "weir-sequence": "1" },
  },
  {
    name: "persist events whose groups have names of a megabyte",
    path: "/v1/ingest/persist-datas",
    body: () => `{"persist_datas":[${list((n) => persist(n, `"reprocess_id":"${n}${repeatTo("g", 0.95 * MB)}"`))}]}`,
  },
  {
    name: "persist events whose groups have names of a kilobyte",
    path: "/v1/ingest/persist-datas",
    body: () => `{"persist_datas":[${list((n) => persist(n, `"reprocess_id":"${n}${repeatTo("\u20ac", 1_000)}"`))}]}`,
  },
  {
    name: "references of letters of three bytes",
    path: "/v1/ingest/persist-datas",
    body: () =>
      `{"persist_datas":[${list((n) => persist(n, `"x":1`).replace(`"r${n}"`, `"${n}${"\u20ac".repeat(200)}"`))}]}`,
  },
  {
    name: "meter data with all the names and properties that it may have",
    path: "/v1/ingest/meter-datas",
    body: () =>
      `{"meter_datas":[${list((n) =>
        JSON.stringify({
          meter_reference: `m${"\u20ac".repeat(200)}`,
          customer_reference: `c${n}${"\u20ac".repeat(200)}`,
          timestamp: "2026-03-10T12:00:00Z",
          meter_values: [{ reference: "v".repeat(200), number: "1" }],
          meter_properties: Array.from({ length: 3 }, (_, i) => ({ reference: `p${i}`, value: "\\".repeat(200) })),
        }),
      )}]}`,
  },
];

it.each(SHAPES.slice(0, modelRuns({ full: SHAPES.length, short: 3 })))(
  "$name",
  async ({ path, body, headers = {} }) => {
    const { tenant } = await setupEdge();
    const edge = connectEdge(tenant);
    const meter = `sizes-${tenant}`;
    await edge.putCatalog({ streams: [{ meter_global_id: meter }] });
    const sent = new TextEncoder().encode(body());
    expect(sent.length).toBeLessThanOrEqual(4 * MB);
    const to = path ?? `/meters/streaming/ingestion/${meter}`;
    const post = async () => (await edge.request(to, { method: "POST", body: sent, headers })).status;
    const first = await post();
    expect([200, 201, 400, 413]).toContain(first);
    // A repeat asks the ledger what it holds.
    expect(await post()).toBe(first);
    expect(edge.peaks.parameterBytes).toBeLessThan(BYTES_MAX);
    for (const table of ["batches", "quarantine", "facts", "outbox", "reprocess_groups", "keys"])
      expect(await largestRow(table), table).toBeLessThan(BYTES_MAX);
  },
);

async function largestRow(table: string): Promise<number> {
  const { results } = await bindings.LEDGER.prepare(`SELECT name FROM pragma_table_info('${table}')`).all<{
    name: string;
  }>();
  const sum = results.map(({ name }) => `coalesce(octet_length("${name}"), 0)`).join(" + ");
  return (
    (await bindings.LEDGER.prepare(`SELECT max(${sum}) AS bytes FROM "${table}"`).first<{ bytes: number }>())?.bytes ??
    0
  );
}
