/**
 * The edge dies before or after every single step it takes in accepting and delivering: each D1 call, each
 * message, each call upstream. The producer repeats what got no 2xx; another instance sweeps. Every event must
 * be at the twin exactly once, and the ledger must say so.
 */
import { expect, it } from "vitest";
import { modelRuns } from "../support/model-runs.ts";
import { connectEdge, events, setupEdge } from "./support/edge.ts";
import { type Step, tapRuntime } from "./support/tapped.ts";

const LEASES_OVER_MS = 3_600_000;
const BATCH = 20;

class Death extends Error {}

/** Dies at the given moment (two a step: before, after) and stays dead. */
function mortal(momentOfDeath: number) {
  let moment = 0;
  let dead: string | null = null;
  const passed: string[] = [];
  const pass = (when: string) => (step: Step) => {
    if (dead !== null) throw new Death(dead);
    const name = `${when} ${step.name}`;
    passed.push(name);
    if (moment++ === momentOfDeath) {
      dead = name;
      throw new Death(name);
    }
  };
  return { tapped: tapRuntime({ before: pass("before"), after: pass("after") }), passed, died: () => dead };
}

async function liveOnce(momentOfDeath: number, identity: "position" | "content" | "own id") {
  const stable = await setupEdge();
  const meter = `crash-${stable.tenant}`;
  const idField = identity === "own id" ? { event_id_field: "UsageIdentifier" } : {};
  await stable.putCatalog({ streams: [{ meter_global_id: meter, ...idField }] });
  const { tapped, passed, died } = mortal(momentOfDeath);
  const first = connectEdge(stable.tenant, { bindings: tapped.bindings, runtime: { fetch: tapped.fetch } });
  const sent = events(BATCH).map((text, i) => text.replace("egress_bytes", `id-${i}`));
  const body = `[${sent.join(",")}]`;
  const headers: Record<string, string> = identity === "position" ? { "weir-producer": "p", "weir-sequence": "1" } : {};
  const post = async (edge: typeof stable) => (await edge.post(meter, body, headers)).status;
  const firstStatus = await post(first).catch(() => 0);
  await first.services.delivery.deliver({ tenant: stable.tenant, stream: `usage/${meter}` }).catch(() => undefined);

  const second = connectEdge(stable.tenant, { runtime: { clock: { now: () => Date.now() + LEASES_OVER_MS } } });
  if (firstStatus !== 200) expect(await post(second)).toBe(200);
  await second.services.delivery.sweep();
  return { passed, died: died(), edge: second, meter, sent };
}

const IDENTITIES = ["position", "content", "own id"] as const;

for (const identity of IDENTITIES.slice(0, modelRuns({ full: IDENTITIES.length, short: 1 }))) {
  it(`a death between any two steps loses and doubles nothing (identity by ${identity})`, async () => {
    const deaths = new Set<string>();
    for (let moment = 0; ; moment++) {
      const { passed, died, edge, meter, sent } = await liveOnce(moment, identity);
      const where = died ?? "it lived";
      expect((await edge.twinEvents(meter)).sort(), where).toEqual([...sent].sort());
      const [row] = await edge.ledger();
      expect(row, where).toMatchObject({ accepted: BATCH, delivered: BATCH, pending: 0, quarantined: 0 });
      if (died === null) {
        expect(passed.length).toBeGreaterThan(10);
        break;
      }
      deaths.add(died);
    }
    for (const step of ["after D1 batch", "before queue.send", "after queue.send"]) expect(deaths).toContain(step);
    expect(
      [...deaths].filter((name) => name.startsWith("after fetch /meters/")),
      "died with a call taken",
    ).toHaveLength(1);
  });
}
