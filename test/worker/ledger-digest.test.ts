/** The digest of the edge's ledger: the same vectors as everywhere, over positions and bytes. */
import { expect, it } from "vitest";
import { eventId, toHex } from "../../shared/identity.ts";
import { sha256OfText } from "../../shared/sha256.ts";
import { digestByTheBook } from "../support/ledger-digest.ts";
import { bindings, event, ownIdStream, setupEdge, type TestEdge } from "./support/edge.ts";

async function send(edge: TestEdge, meter: string, first: number | null, texts: readonly string[]): Promise<void> {
  const positions: Record<string, string> =
    first === null ? {} : { "weir-producer": "p", "weir-sequence": String(first) };
  const response = await edge.post(meter, `[ ${texts.join(" ,\n ")} ]`, positions);
  expect(response.status, await response.text()).toBe(200);
}

it("a digest is over the positions and bytes that were taken, whatever the batches, their order and what came again", async () => {
  const edge = await setupEdge();
  const meter = `digest-${edge.tenant}`;
  await edge.putCatalog({ streams: [{ meter_global_id: meter, fields: [] }] });
  const texts = ['{"a":1}', '{ "a" : 1.0 }', '{"é€😀":"\\u0000"}', '{"a":1}', "{}"];
  await send(edge, meter, 4, texts.slice(3));
  await send(edge, meter, 1, texts.slice(0, 2));
  await send(edge, meter, 1, texts);
  await send(edge, meter, 1, texts);
  const expected = digestByTheBook(texts.map((text, i) => [i + 1, text] as const));
  expect(await edge.ledger()).toMatchObject([{ accepted: 5, duplicates: 9, gaps: [], digest: expected, digested: 5 }]);
});

it("an event with an own id that takes a position counts there as it came, also where it was known before", async () => {
  const edge = await setupEdge();
  const meter = `digest-${edge.tenant}`;
  await edge.putCatalog({ streams: [ownIdStream(meter, "EventId")] });
  const texts = ["x", "y", "x"].map((EventId) => event({ EventId }));
  await send(edge, meter, 1, texts);
  const digest = digestByTheBook(texts.map((text, i) => [i + 1, text] as const));
  expect(await edge.ledger()).toMatchObject([{ accepted: 2, duplicates: 1, digest, digested: 3 }]);
});

it("without positions a digest is over what events are known by", async () => {
  const edge = await setupEdge();
  const meter = `digest-${edge.tenant}`;
  await edge.putCatalog({ streams: [ownIdStream(meter, "EventId")] });
  await send(
    edge,
    meter,
    null,
    ["x", "y"].map((EventId) => event({ EventId })),
  );
  await send(
    edge,
    meter,
    null,
    ["y", "z"].map((EventId) => event({ EventId })),
  );
  const known = ["x", "y", "z"].map((id) => eventId("usage", `usage/${meter}`, { by: "id", id }));
  const halves = known.map((id) => BigInt(`0x${toHex(sha256OfText(`${edge.tenant}\n${id}`)).slice(0, 16)}`));
  const sum = halves.reduce((total, half) => total + half, 0n) % 2n ** 64n;
  expect(await edge.ledger()).toMatchObject([{ digest: sum.toString(16).padStart(16, "0"), digested: 3 }]);
});

it("a row of counts from before says of how many events its digest is", async () => {
  const edge = await setupEdge();
  const meter = `digest-${edge.tenant}`;
  await edge.putCatalog({ streams: [{ meter_global_id: meter, fields: [] }] });
  await send(edge, meter, 1, ["{}", "{}"]);
  const old = "UPDATE counters SET digest_high = 0, digest_low = 0, digested = 0, digest0 = 7 WHERE tenant = ?";
  await bindings.LEDGER.prepare(old).bind(edge.tenant).run();
  await send(edge, meter, 3, ["{}"]);
  const digest = digestByTheBook([[3, "{}"]]);
  expect(await edge.ledger()).toMatchObject([{ accepted: 3, last_sequence: 3, digest, digested: 1 }]);
});
