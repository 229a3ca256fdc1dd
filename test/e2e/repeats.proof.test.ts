import { expect, it } from "vitest";
import { postAll, sampleEvents, startRiver } from "./support.ts";

it("10,000 real events without ids are 10,000 though 107 equal a neighbour, and posted again they are all duplicates", async () => {
  const river = await startRiver();
  const events = sampleEvents();
  const all = { size: events.length };
  const none = { accepted: 0, duplicates: 0, conflicts: 0, quarantined: 0 };
  expect(await postAll(river.edge.url, events, all)).toEqual({ ...none, accepted: 10_000 });
  await river.settled();
  expect(await river.twinCounts()).toMatchObject({ events: 10_000, distinct: 9_893 });
  expect((await river.twinEvents()).toSorted()).toEqual(events.toSorted());
  expect(await postAll(river.edge.url, events, all)).toEqual({ ...none, duplicates: 10_000 });
  // Cut otherwise they are the same events still: equal ones in one body are a run of those that were known.
  expect(await postAll(river.edge.url, events, { size: 1000 })).toEqual({ ...none, duplicates: 10_000 });
  const [row] = await river.settled();
  expect(row).toMatchObject({ accepted: 10_000, duplicates: 20_000, delivered: 10_000, pending: 0 });
  expect(await river.twinCounts()).toMatchObject({ events: 10_000 });
});

it("10,000 events with positions are all accepted, and repeated in any batch sizes all duplicates", async () => {
  const river = await startRiver();
  const events = sampleEvents();
  expect(await postAll(river.edge.url, events, { size: 250, producer: "p" })).toMatchObject({
    accepted: 10_000,
    duplicates: 0,
  });
  for (const size of [1, 7, 100, 999]) {
    expect(await postAll(river.edge.url, events, { size, producer: "p" }), `size ${size}`).toEqual({
      accepted: 0,
      duplicates: 10_000,
      conflicts: 0,
      quarantined: 0,
    });
  }
  const [row] = await river.settled();
  expect(row).toMatchObject({
    accepted: 10_000,
    duplicates: 40_000,
    delivered: 10_000,
    first_sequence: 1,
    last_sequence: 10_000,
    gaps: [],
  });
  expect(await river.twinCounts()).toMatchObject({ events: 10_000, distinct: 9_893 });
});
