import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { AnswerReader } from "./answer-reader.ts";
import { type EventsBody, requestsOf } from "./requests.ts";

const EVENTS: EventsBody = {
  ...{ kind: "events", meter: "m", size: 2, first: 10, hasId: false, gzip: false, producer: "p" },
};
const series = (body: EventsBody) => ({
  host: "h:1",
  paths: ["/x"],
  method: "POST" as const,
  headers: {},
  requests: 5,
  body,
});
const textOf = (request: Uint8Array | undefined) => Buffer.from(request ?? []).toString("latin1");

test("requests are shared among the connections, each event once, positions of each connection without a gap", () => {
  const lists = requestsOf(series(EVENTS), 2);
  expect(lists.map((list) => list.length)).toEqual([3, 2]);
  const all = lists.flat().map(textOf);
  const numbers = all.flatMap((text) => [...text.matchAll(/customer-(\d+)/g)].map(([, n]) => Number(n)));
  expect(numbers.sort((a, b) => a - b)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  const positions = lists.map((list) =>
    list.map((r) => /weir-producer: (\S+)\r\nweir-sequence: (\d+)/.exec(textOf(r))?.slice(1)),
  );
  expect(positions).toEqual([
    [
      ["p.0", "1"],
      ["p.0", "3"],
      ["p.0", "5"],
    ],
    [
      ["p.1", "1"],
      ["p.1", "3"],
    ],
  ]);
});

test("the same description makes the same bytes, and the length it names is the body's", () => {
  expect(requestsOf(series(EVENTS), 3)).toEqual(requestsOf(series(EVENTS), 3));
  const [request] = requestsOf(series({ ...EVENTS, gzip: true }), 1)[0] ?? [];
  const bytes = Buffer.from(request ?? []);
  const bodyAt = bytes.indexOf("\r\n\r\n") + 4;
  expect(/content-length: (\d+)/.exec(textOf(request))?.[1]).toBe(String(bytes.length - bodyAt));
  expect(gunzipSync(bytes.subarray(bodyAt)).toString().split("\n")).toHaveLength(2);
});

test("an answer is whole by its length or its last chunk, wherever it was cut, and the next begins anew", () => {
  const byLength = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody";
  const inChunks = "HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n";
  const reader = new AnswerReader();
  for (const [text, status] of [
    [byLength, 200],
    [inChunks, 503],
    [byLength, 200],
  ] as const) {
    for (let cut = 1; cut < text.length; cut++) {
      expect(reader.take(text.slice(0, cut))).toBeNull();
      expect(reader.take(text.slice(cut))?.status).toBe(status);
    }
  }
  expect(() => reader.take("HTTP/1.1 200 OK\r\n\r\n")).toThrow("without an end");
});
