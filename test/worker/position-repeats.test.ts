/** A repeat of a position is compared with what is stored there: its text, or the hash of what has none. */
import { beforeAll, expect, it } from "vitest";
import { contentHash, toHex } from "../../shared/identity.ts";
import { scanJson } from "../../shared/json/bodies.ts";
import { bindings, setupEdge, type TestEdge } from "./support/edge.ts";

const METER = "position-repeats";
const LENIENT = { prefer: "handling=lenient" };
const QUARANTINED = '{"CustomerId":"c"}';
const text = (n: number, customer = "é€😀") =>
  `{"CustomerId":"${customer}","UsageIdentifier":"u", "UsageDate":"2026-11-21T10:05:03Z","Quantity":${n}.0}`;
let edge: TestEdge;

beforeAll(async () => {
  edge = await setupEdge();
  await edge.putCatalog({ streams: [{ meter_global_id: METER }] });
});

async function send(producer: string, first: number, events: readonly string[]) {
  const headers = { ...LENIENT, "weir-producer": producer, "weir-sequence": String(first) };
  const answer = await edge.post(METER, `[${events.join(" ,")}]`, headers);
  const { accepted, duplicates, conflicts, quarantined } = await answer.json<Record<string, number>>();
  return [answer.status, accepted, duplicates, conflicts, quarantined];
}

it("the same bytes are a duplicate however the repeat is cut, other ones a conflict, other spellings of the same too", async () => {
  const sent = Array.from({ length: 6 }, (_, n) => text(n));
  expect(await send("cut", 1, sent.slice(0, 4))).toEqual([200, 4, 0, 0, 0]);
  expect(await send("cut", 3, sent.slice(2))).toEqual([200, 2, 2, 0, 0]);
  expect(await send("cut", 2, sent.slice(1))).toEqual([200, 0, 5, 0, 0]);
  expect(await send("cut", 1, [text(0), text(9), text(2), text(3, "e"), text(4), text(5)])).toEqual([200, 0, 4, 2, 0]);
  const spelt = text(5).replace("é", "\\u00e9").replace(" ", "");
  expect(await send("cut", 5, [text(4).replace(".0", ""), spelt])).toEqual([200, 0, 0, 2, 0]);
});

it("what went to quarantine at its position is known as well, among others that were stored", async () => {
  const sent = [text(1), QUARANTINED, text(2)];
  expect(await send("held", 1, sent)).toEqual([200, 2, 0, 0, 1]);
  expect(await send("held", 1, sent)).toEqual([200, 0, 3, 0, 0]);
  expect(await send("held", 1, [text(1), '{"CustomerId":"d"}', text(2)])).toEqual([200, 0, 2, 1, 0]);
});

it("rows from before, which hold the content hash of what is stored at a position, know its repeats and its conflicts", async () => {
  const sent = [text(1), text(2)];
  expect(await send("before", 1, sent)).toEqual([200, 2, 0, 0, 0]);
  const scanned = scanJson(`[${sent.join(",")}]`, { eventsMax: 2, eventBytesMax: 1_000 });
  if (scanned.kind !== "events") throw new Error("not events");
  const hashes = scanned.events.map(({ fields }) => toHex(contentHash(fields).subarray(0, 16)));
  await bindings.LEDGER.prepare(
    `UPDATE batches SET entries = unhex(?1 || substr(hex(entries), 33, 18) || ?2 || substr(hex(entries), 83))
    WHERE tenant = ?3 AND producer = 'before'`,
  )
    .bind(...hashes, edge.tenant)
    .run();
  expect(await send("before", 1, [...sent, text(3)])).toEqual([200, 1, 2, 0, 0]);
  expect(await send("before", 1, [text(1), text(7)])).toEqual([200, 0, 1, 1, 0]);
});
