import fc from "fast-check";
import { expect, test } from "vitest";
import {
  countFitting,
  eventBytes,
  joinRuns,
  packBytes,
  packSpans,
  sliceRun,
} from "../../agent/buffer/tables/event-run.ts";
import { packEvents } from "./support/pack-events.ts";

const sources = fc.array(fc.string({ unit: "grapheme", minLength: 1 }), { minLength: 1, maxLength: 40 });
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8");

test("every event of a run can be cut out byte for byte, whatever its characters", () => {
  fc.assert(
    fc.property(sources, (texts) => {
      const run = packEvents(texts);
      expect(texts.map((_, index) => text(eventBytes(run, index)))).toEqual(texts);
      expect(text(run.body)).toBe(texts.join(","));
    }),
  );
});

test("cutting a run in two and joining it again gives the same bytes", () => {
  fc.assert(
    fc.property(sources, fc.nat(), (texts, at) => {
      const run = packEvents(texts);
      const middle = at % (texts.length + 1);
      const parts = [sliceRun(run, 0, middle), sliceRun(run, middle, texts.length)].filter(
        (part) => part.ends.length > 0,
      );
      const joined = joinRuns(parts);
      expect(text(joined.body)).toBe(texts.join(","));
      expect([...joined.ends]).toEqual([...run.ends]);
    }),
  );
});

test("bytes that are no text are packed as they are, an empty event included", () => {
  const run = packBytes([Uint8Array.of(), Uint8Array.of(0xff, 0xfe), Uint8Array.of(0x2c)]);
  expect([0, 1, 2].map((index) => [...eventBytes(run, index)])).toEqual([[], [0xff, 0xfe], [0x2c]]);
});

test("one event always fits, so that none is stuck for its size", () => {
  const run = packEvents(["a".repeat(100), "b"]);
  expect(countFitting(run, 0, 10, 10)).toBe(1);
  expect(countFitting(run, 1, 10, 10)).toBe(1);
  expect(countFitting(run, 0, 102, 10)).toBe(2);
  expect(countFitting(run, 0, 102, 1)).toBe(1);
});

test("events that lie in one body are packed where they are, in memory of their own", () => {
  const text = ' [ {"a":1} ,\n{"b":"é"},{}]';
  const bytes = new TextEncoder().encode(text);
  const events = ['{"a":1}', '{"b":"é"}', "{}"].map((event) => new TextEncoder().encode(event));
  let at = 0;
  const spans = events.flatMap((event) => {
    const from = Buffer.from(bytes).indexOf(event, at);
    at = from + event.length;
    return [from, at];
  });
  const part = new Uint8Array([...bytes, 0]).subarray(0, -1);
  for (const body of [part, bytes]) {
    const run = packSpans(body, spans);
    const packed = events.map((_, index) => Buffer.from(eventBytes(run, index)).toString());
    expect(packed).toEqual(events.map((event) => Buffer.from(event).toString()));
    expect(run.body.buffer.byteLength).toBe(run.body.length);
  }
});
