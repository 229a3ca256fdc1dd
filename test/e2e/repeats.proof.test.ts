import { expect, it } from "vitest";
import { postAll, sampleEvents, startRiver } from "./support.ts";

it("10,000 real events without ids fold into 9,893, and posted again they are all duplicates", async () => {
  const river = await startRiver();
  const events = sampleEvents();
  expect(await postAll(river.edge.url, events, { size: 1000 })).toEqual({
    accepted: 9_893,
    duplicates: 107,
    conflicts: 0,
    quarantined: 0,
  });
  await river.settled();
  expect(await river.twinCounts()).toMatchObject({ events: 9_893, distinct: 9_893 });
  expect(await postAll(river.edge.url, events, { size: 1000 })).toMatchObject({ accepted: 0, duplicates: 10_000 });
  const [row] = await river.settled();
  expect(row).toMatchObject({ accepted: 9_893, duplicates: 10_107, delivered: 9_893, pending: 0 });
  expect(await river.twinCounts()).toMatchObject({ events: 9_893 });
});

it("10,000 events with positions are all taken, and repeated in any batch sizes all duplicates", async () => {
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
