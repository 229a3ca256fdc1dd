import { expect, test } from "vitest";
import { createBatchSizer, PROBE_EVERY } from "../../agent/upload/batch-size.ts";

const MOST = { bytes: 1_000_000, events: 10_000 };

test("without a refusal the settings are the size", () => {
  const sizer = createBatchSizer(() => MOST);
  sizer.wasAccepted({ bytes: 10, events: 1 });
  expect(sizer.next()).toEqual(MOST);
});

test("after a split what was accepted is the size, and one shipment in fifty tries more, by turns", () => {
  const sizer = createBatchSizer(() => MOST);
  sizer.wasSplit(MOST, { bytes: 1000, events: 10 });
  const sizes = Array.from({ length: 2 * PROBE_EVERY }, () => {
    const size = sizer.next();
    sizer.began();
    return size;
  });
  const probes = sizes.flatMap((size, index) =>
    size.bytes === 1000 && size.events === 10 ? [] : [{ index, ...size }],
  );
  expect(probes).toEqual([
    { index: PROBE_EVERY - 1, bytes: 2000, events: 10 },
    { index: 2 * PROBE_EVERY - 1, bytes: 1000, events: 20 },
  ]);
});

test("a probe that was accepted is remembered; one that was split is not", () => {
  const sizer = createBatchSizer(() => MOST);
  sizer.wasSplit(MOST, { bytes: 1000, events: 10 });
  sizer.wasAccepted({ bytes: 1900, events: 10 });
  expect(sizer.next()).toEqual({ bytes: 1900, events: 10 });
  sizer.wasSplit({ bytes: 3600, events: 10 }, { bytes: 1800, events: 5 });
  expect(sizer.next()).toEqual({ bytes: 1900, events: 10 });
});

test("a size that worked before and no longer does is learned anew", () => {
  const sizer = createBatchSizer(() => MOST);
  sizer.wasSplit(MOST, { bytes: 1900, events: 10 });
  sizer.wasSplit({ bytes: 1900, events: 10 }, { bytes: 950, events: 5 });
  expect(sizer.next()).toEqual({ bytes: 950, events: 5 });
});

test("looking for something to send and finding nothing brings no probe nearer", () => {
  const sizer = createBatchSizer(() => MOST);
  sizer.wasSplit(MOST, { bytes: 1000, events: 10 });
  for (let look = 0; look < 3 * PROBE_EVERY; look++) expect(sizer.next()).toEqual({ bytes: 1000, events: 10 });
});

test("a split starts the count to the next probe anew", () => {
  const sizer = createBatchSizer(() => MOST);
  sizer.wasSplit(MOST, { bytes: 1000, events: 10 });
  for (let n = 0; n < PROBE_EVERY - 1; n++) sizer.began();
  expect(sizer.next().bytes).toBe(2000);
  sizer.wasSplit({ bytes: 1000, events: 10 }, { bytes: 500, events: 5 });
  expect(sizer.next()).toEqual({ bytes: 500, events: 5 });
});

test("a shipment of which nothing was accepted teaches nothing", () => {
  const sizer = createBatchSizer(() => MOST);
  sizer.wasSplit(MOST, null);
  expect(sizer.next()).toEqual(MOST);
  expect(sizer.settled).toEqual(MOST);
});
