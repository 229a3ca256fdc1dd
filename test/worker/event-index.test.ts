/** Events that only their producer's position makes known, found by id: however old, however many producers. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { eventId, LAST_DIGITS_END } from "../../shared/identity.ts";
import type { Bindings } from "../../worker/env.ts";
import { createEventIndex } from "../../worker/ledger/event-index.ts";
import { type SearchOutcome, searchEvent } from "../../worker/ledger/event-search.ts";
import {
  blockText,
  entryMark,
  FANOUT,
  LEVEL_MAX,
  partOf,
  placesIn,
  splitBlocks,
} from "../../worker/ledger/index-entries.ts";
import { createRowId } from "../../worker/ledger/row-id.ts";
import { bindings, connectEdge, event, events, ownIdStream, setupEdge, type TestEdge } from "./support/edge.ts";
import { type Step, tapRuntime } from "./support/tapped.ts";

const NOW = Date.parse("2026-11-21T12:00:00Z");
/** What waits so long is indexed however little it is. */
const LATER = NOW + 3_600_000;
const db = bindings.LEDGER;

const idOf = (stream: string, producer: string, position: number) =>
  eventId("usage", stream, { by: "position", producer, position });

/** Batches as filing leaves them, many at once; each of `[producer, first, last, seq]`. */
async function file(
  tenant: string,
  stream: string,
  batches: readonly (readonly [producer: string, first: number, last: number, seq: number])[],
): Promise<void> {
  for (let from = 0; from < batches.length; from += 2_000) {
    const rows = JSON.stringify(batches.slice(from, from + 2_000));
    await db.batch([
      db
        .prepare(
          `INSERT INTO batches (id, nonce, tenant, stream, producer, first, last, context, sent_ids, received_at, entries, payload, seq)
          SELECT value ->> 3, 'n', ?1, ?2, value ->> 0, value ->> 1, value ->> 2, '', '', 0,
            zeroblob(25 * ((value ->> 2) - (value ->> 1) + 1)), '', value ->> 3 FROM json_each(?3)`,
        )
        .bind(tenant, stream, rows),
      db
        .prepare(
          `INSERT OR IGNORE INTO counters (tenant, stream, producer, accepted)
          SELECT ?1, ?2, value ->> 0, 1 FROM json_each(?3)`,
        )
        .bind(tenant, stream, rows),
    ]);
  }
}

/** Looks for an id with D1's own account of what that cost. */
function tappedReader() {
  const steps: Step[] = [];
  const { LEDGER } = tapRuntime({ after: (step) => steps.push(step) }).bindings;
  const spent = (what: "rows_read" | "rows_written" | "duration") =>
    steps.flatMap((step) => step.meta ?? []).reduce((sum, meta) => sum + meta[what], 0);
  const locate = (tenant: string, id: string) => searchEvent(LEDGER, tenant, id);
  return { LEDGER, locate, spent, forget: () => steps.splice(0) };
}

async function runUntilIdle(tenant: string, rounds = 400): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    // Each an instance of its own: nothing is remembered between slices but what the ledger holds.
    await createEventIndex(db).follow(tenant, LATER);
    const waiting = await db
      .prepare(
        `SELECT count(*) AS n FROM batches WHERE tenant = ?1 AND replay_of IS NULL AND seq > coalesce(
          (SELECT seq FROM index_marks WHERE index_marks.tenant = ?1 AND index_marks.stream = batches.stream), 0)`,
      )
      .bind(tenant)
      .first<number>("n");
    if (waiting === 0) return;
  }
  throw new Error("the index does not catch up");
}

/** Row ids are the whole database's: each test draws its own, long before `LATER` or after it. */
let drawn = 0;
const firstId = (at = NOW) => createRowId(at + 1_000 * ++drawn, 0);

let tenants = 0;
async function freshTenant(): Promise<string> {
  const { tenant } = await setupEdge({ tenant: `indexed-${++tenants}-${crypto.randomUUID().slice(0, 8)}` });
  return tenant;
}

const place = (found: SearchOutcome) => (found.kind === "found" ? found.place : found.kind);

describe("by id, known only by its position", () => {
  it("10,000 producers of five events each: every one is found, at the cost of a seek", async () => {
    const tenant = await freshTenant();
    const producers = Array.from({ length: 10_000 }, (_, i) => `device-${i}`);
    const first = firstId();
    await file(
      tenant,
      "usage/m",
      producers.map((name, i) => [name, 1, 5, first + i]),
    );
    await runUntilIdle(tenant);
    const { locate, spent, forget } = tappedReader();
    for (const [i, name] of producers.entries()) {
      if (i % 997 !== 0) continue;
      for (const position of [1, 5]) {
        forget();
        const found = await locate(tenant, idOf("usage/m", name, position));
        expect([name, position, place(found)]).toEqual([name, position, { batch: first + i, entry: position - 1 }]);
        expect(spent("rows_read")).toBeLessThan(150);
      }
    }
    forget();
    expect((await locate(tenant, idOf("usage/m", "device-1", 6))).kind).toBe("missing");
    console.log(`an unknown id beside 50,000 events: ${spent("rows_read")} rows read, ${spent("duration")} ms of D1`);
    expect(spent("rows_read")).toBeLessThan(100);
  });

  it("one producer's 150,000 events: the first, the last and one of the middle, in few rows written", async () => {
    const tenant = await freshTenant();
    const first = firstId();
    const batches = Array.from({ length: 150 }, (_, i) => ["p", i * 1_000 + 1, (i + 1) * 1_000, first + i] as const);
    await file(tenant, "usage/m", batches);
    const { LEDGER, locate, spent, forget } = tappedReader();
    for (let round = 0; round < 25; round++) await createEventIndex(LEDGER).follow(tenant, LATER);
    const perEvent = spent("rows_written") / 150_000;
    console.log(`rows written for the index: ${perEvent} an event`);
    expect(perEvent).toBeLessThan(0.002);
    const levels = await db
      .prepare("SELECT level, count(*) AS blocks FROM index_blocks WHERE tenant = ?1 GROUP BY level")
      .bind(tenant)
      .all();
    expect(levels.results.length).toBeGreaterThan(1);
    for (const position of [1, 777, 75_000, 149_999, 150_000]) {
      forget();
      const at = { batch: first + Math.floor((position - 1) / 1_000), entry: (position - 1) % 1_000 };
      expect(place(await locate(tenant, idOf("usage/m", "p", position)))).toEqual(at);
    }
    forget();
    expect((await locate(tenant, idOf("usage/m", "p", 150_001))).kind).toBe("missing");
    const edge = connectEdge(tenant, { bindings: { LEDGER } });
    await edge.request("/admin/events/x");
    forget();
    expect((await edge.request(`/admin/events/${idOf("usage/m", "p", 150_001)}`)).status).toBe(404);
    console.log(`an unknown id beside 150,000 events: ${spent("rows_read")} rows read, ${spent("duration")} ms of D1`);
    expect(spent("rows_read")).toBeLessThan(100);
  });

  it("what is not indexed yet is found by computing, and moves into the index once it is enough", async () => {
    const tenant = await freshTenant();
    const first = firstId(LATER);
    const { locate } = tappedReader();
    await file(tenant, "usage/m", [["p", 1, 100, first]]);
    await createEventIndex(db).follow(tenant, LATER);
    expect(await blocksOf(tenant)).toBe(0);
    expect(place(await locate(tenant, idOf("usage/m", "p", 42)))).toEqual({ batch: first, entry: 41 });
    await file(tenant, "usage/m", [["p", 101, 3_000, first + 1]]);
    await createEventIndex(db).follow(tenant, LATER);
    expect(await blocksOf(tenant)).toBe(1);
    expect(place(await locate(tenant, idOf("usage/m", "p", 42)))).toEqual({ batch: first, entry: 41 });
  });

  it("a batch that commits late, its id drawn before others were indexed, is found", async () => {
    const tenant = await freshTenant();
    const first = firstId();
    await file(tenant, "usage/m", [["p", 1, 10, first + 500]]);
    await runUntilIdle(tenant);
    // Its id is lower than what the index has seen; its seq, drawn at the commit, is not.
    await db
      .prepare(
        `INSERT INTO batches (id, nonce, tenant, stream, producer, first, last, context, received_at, entries, payload, seq)
        VALUES (?1, 'n', ?2, 'usage/m', 'late', 7, 8, '', 0, zeroblob(50), '', ?3)`,
      )
      .bind(first, tenant, first + 501)
      .run();
    const { locate } = tappedReader();
    const id = idOf("usage/m", "late", 8);
    expect(place(await locate(tenant, id))).toEqual({ batch: first, entry: 1 });
    await runUntilIdle(tenant);
    expect(place(await locate(tenant, id))).toEqual({ batch: first, entry: 1 });
  });

  it("killed at any step and run by two instances at once, it has each event once", async () => {
    const tenant = await freshTenant();
    const first = firstId();
    const batches = Array.from(
      { length: 120 },
      (_, i) => [`p${i % 7}`, i * 700 + 1, (i + 1) * 700, first + i] as const,
    );
    await file(tenant, "usage/m", batches);
    for (let n = 0; n < 60; n++) {
      let steps = 0;
      const dying = tapRuntime({
        before: () => {
          if (++steps > n) throw new Error("killed");
        },
      }).bindings.LEDGER;
      await Promise.allSettled([
        createEventIndex(dying).follow(tenant, LATER),
        createEventIndex(db).follow(tenant, LATER),
      ]);
    }
    await runUntilIdle(tenant);
    const { results } = await db
      .prepare("SELECT entries FROM index_blocks WHERE tenant = ?1")
      .bind(tenant)
      .all<{ entries: string }>();
    const entries = results.flatMap((row) => row.entries.split(",").filter((entry) => entry !== ""));
    expect(entries).toHaveLength(84_000);
    expect(new Set(entries).size).toBe(84_000);
  });

  it("tenants stay apart: an id of one is missing for the other", async () => {
    const [one, other] = [await freshTenant(), await freshTenant()];
    const first = firstId();
    await file(one, "usage/m", [["p", 1, 3, first]]);
    await file(other, "usage/m", [["q", 1, 3, first + 1]]);
    const { locate } = tappedReader();
    for (const indexed of [false, true]) {
      if (indexed) for (const tenant of [one, other]) await runUntilIdle(tenant);
      const id = idOf("usage/m", "p", 2);
      expect(place(await locate(one, id))).toEqual({ batch: first, entry: 1 });
      expect((await locate(other, id)).kind).toBe("missing");
    }
  });

  it("a backlog too long to try is never answered with a no", async () => {
    const tenant = await freshTenant();
    const first = firstId();
    const batches = Array.from({ length: 30 }, (_, i) => ["p", i * 1_000 + 1, (i + 1) * 1_000, first + i] as const);
    await file(tenant, "usage/m", batches);
    const { locate } = tappedReader();
    expect((await locate(tenant, idOf("usage/m", "p", 1))).kind).toBe("behind");
    const edge = connectEdge(tenant);
    const answer = await edge.request(`/admin/events/${idOf("usage/m", "p", 1)}`);
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "60"]);
    await runUntilIdle(tenant);
    expect((await edge.request(`/admin/events/${idOf("usage/m", "nobody", 1)}`)).status).toBe(404);
  });

  it("a batch that is gone, as retention may take it, makes its events unknown and no error", async () => {
    const tenant = await freshTenant();
    await file(tenant, "usage/m", [["p", 1, 3, firstId()]]);
    await runUntilIdle(tenant);
    await db.prepare("DELETE FROM batches WHERE tenant = ?1").bind(tenant).run();
    const answer = await connectEdge(tenant).request(`/admin/events/${idOf("usage/m", "p", 2)}`);
    expect(answer.status).toBe(404);
  });
});

it("a block cut into parts keeps each entry, in the part that a lookup asks, level after level", () => {
  const entries = Array.from({ length: 5_000 }, (_, i) => ({
    digits: (i * 183_377) % LAST_DIGITS_END,
    batch: 3_672_000_000_000_000 + i,
    entry: i % 700,
  }));
  let blocks = [blockText(entries)];
  for (let level = 1; level <= LEVEL_MAX; level++) {
    const parts = splitBlocks(blocks, level);
    for (const { digits, batch, entry } of entries) {
      const text = parts.get(partOf(digits, level)) ?? "";
      const at = text.indexOf(entryMark(digits));

      expect(placesIn(text.slice(at), digits)).toContainEqual({ batch, entry });
      expect(Math.floor(partOf(digits, level) / FANOUT)).toBe(partOf(digits, level - 1));
    }
    blocks = [...parts.values()];
  }
});

describe("through the edge", () => {
  const post = async (edge: TestEdge, producer: string, first: number, bodies: readonly string[]) => {
    const answer = await edge.post("m", `[${bodies.join(",")}]`, {
      prefer: "return=representation",
      "weir-producer": producer,
      "weir-sequence": String(first),
    });
    expect(answer.status).toBe(200);
    return (await answer.json<{ results: { id: string }[] }>()).results.map(({ id }) => id);
  };
  const found = async (edge: TestEdge, id: string) => {
    const answer = await edge.request(`/admin/events/${id}`);
    return answer.status === 200 ? (await answer.json<{ position?: number }>()).position : answer.status;
  };

  it("each id that ingestion answered is found, before and after the sweep, with own ids beside positions", async () => {
    let now = NOW;
    const edge = await setupEdge({ runtime: { clock: { now: () => now } } });
    await edge.putCatalog({ streams: [ownIdStream("m", "Id")] });
    const plain = await post(edge, "p", 1, events(50));
    const mixed = await post(edge, "q", 11, [event({ Id: "own", n: 1 }), event({ n: 2 }), event({ Id: "own2", n: 3 })]);
    const check = async () => {
      for (const [i, id] of plain.entries()) if (i % 7 === 0) expect(await found(edge, id)).toBe(i + 1);
      for (const [i, id] of mixed.entries()) expect(await found(edge, id)).toBe(i + 11);
      expect(await found(edge, idOf("usage/m", "q", 11)), "an event with an own id has no other").toBe(404);
    };
    await check();
    now += 3_600_000;
    await edge.services.eventIndex.sweep(now);
    const entries = await db
      .prepare("SELECT entries FROM index_blocks WHERE tenant = ?1")
      .bind(edge.tenant)
      .first<string>("entries");
    expect(entries?.split(",").length, "51 events have no id of their own").toBe(52);
    await check();
  });

  it("the Worker's clock and its queue keep it", async () => {
    const { default: worker } = await import("../../worker/index.ts");
    const tenant = await freshTenant();
    await file(tenant, "usage/m", [["p", 1, 2_500, firstId()]]);
    const own = { ...bindings } as Bindings;
    const context = createExecutionContext();
    await worker.scheduled({} as ScheduledController, own, context);
    await waitOnExecutionContext(context);
    expect(await blocksOf(tenant)).toBe(1);
  });
});

async function blocksOf(tenant: string): Promise<number | null> {
  return db.prepare("SELECT count(*) AS n FROM index_blocks WHERE tenant = ?1").bind(tenant).first<number>("n");
}
