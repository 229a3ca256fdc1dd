/** The rows that docs/scale.md reckons with, by D1's own account. */
import { expect, it } from "vitest";
import { ROWS_AN_EVENT, SIZES } from "../../tools/scale/figures.ts";
import { connectEdge, events, setupEdge } from "./support/edge.ts";
import { type Step, tapRuntime } from "./support/tapped.ts";

const BODIES = 5;
/** A figure of the document is a bound, and one that means something: no more than so many times what is measured. */
const SLACK = 2;

async function rowsAnEvent(size: number, kind: "positions" | "keyed"): Promise<number> {
  const stable = await setupEdge();
  const meter = `scale-${kind}-${size}`;
  await stable.putCatalog({ streams: [{ meter_global_id: meter }] });
  const steps: Step[] = [];
  const tapped = tapRuntime({ after: (step) => steps.push(step) });
  const edge = connectEdge(stable.tenant, { bindings: tapped.bindings, runtime: { fetch: tapped.fetch } });
  const post = async (body: number) => {
    const first = body * size + 1;
    const headers: Record<string, string> = { "weir-producer": "p", "weir-sequence": String(first) };
    const answer = await edge.post(meter, `[${events(size, first).join(",")}]`, kind === "keyed" ? {} : headers);
    expect(answer.status).toBe(200);
    await edge.services.delivery.sweep();
  };
  // The first body makes the stream's counters; what every later one costs is asked.
  await post(0);
  steps.length = 0;
  for (let body = 1; body <= BODIES; body++) await post(body);
  expect(await edge.ledger()).toMatchObject([{ delivered: (BODIES + 1) * size, pending: 0 }]);
  const written = steps.flatMap((step) => step.meta ?? []).reduce((sum, meta) => sum + meta.rows_written, 0);
  return written / (BODIES * size);
}

it.each(SIZES.flatMap((size) => (["positions", "keyed"] as const).map((kind) => [size, kind] as const)))(
  "rows written an event at %i a body, by %s, are within those of docs/scale.md",
  async (size, kind) => {
    const measured = await rowsAnEvent(size, kind);
    console.log(`rows an event at ${size} a body, ${kind}: ${measured}`);
    const said = ROWS_AN_EVENT[size][kind];
    const isBound = measured <= said && said <= SLACK * measured;
    expect({ measured, isBound }).toEqual({ measured, isBound: true });
  },
);
