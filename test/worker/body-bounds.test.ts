/** Bodies and headers meant to harm: each route reads so much and no more, and says what is too long. */
import { gzipSync } from "node:zlib";
import { beforeAll, expect, it } from "vitest";
import { hashApiKey } from "../../worker/accounts/key-hash.ts";
import { bindings, event, events, setupEdge, type TestEdge } from "./support/edge.ts";

const METER = "bounds";
const GZIP = { "content-encoding": "gzip" };
let edge: TestEdge;

beforeAll(async () => {
  edge = await setupEdge();
  await edge.putCatalog({ streams: [{ meter_global_id: METER }] });
});

const zipped = (text: string) => new Uint8Array(gzipSync(text));
const joined = (...parts: Uint8Array[]) => new Uint8Array(parts.flatMap((part) => [...part]));

it.each<[string, () => Uint8Array]>([
  ["several members", () => joined(zipped(`[${event()}`), zipped("]"))],
  ["several whole members", () => joined(zipped(event()), zipped(event()))],
  ["an empty member behind", () => joined(zipped(event()), zipped(""))],
  ["zeros behind its end", () => joined(zipped(event()), new Uint8Array(8))],
  ["one zero behind its end", () => joined(zipped(event()), new Uint8Array(1))],
  ["its trailer twice", () => joined(zipped(event()), zipped(event()).slice(-8))],
  ["another size in its trailer", () => joined(zipped(event()).slice(0, -1), new Uint8Array([1]))],
  ["nothing but a header", () => zipped(event()).slice(0, 10)],
  ["no byte", () => new Uint8Array(0)],
])("gzip of %s is 400", async (_title, body) => {
  expect((await edge.post(METER, body(), GZIP)).status).toBe(400);
});

it("gzip with a name, a comment, a checksum of its header and several blocks is read", async () => {
  const plain = zipped(`[${events(2000, 100).join(",")}]`);
  const named = [0x1f, 0x8b, 8, 0x1e, 0, 0, 0, 0, 0, 3, 4, 0, 1, 2, 3, 4, 0x61, 0, 0x62, 0];
  // CRC-16 of the header: the two low bytes of its CRC-32.
  const crc = crc32(named) & 0xffff;
  const body = joined(new Uint8Array([...named, crc & 255, crc >> 8]), plain.slice(10));
  expect(await (await edge.post(METER, body, GZIP)).json()).toMatchObject({ accepted: 2000 });
});

function crc32(bytes: readonly number[]): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

it("a calculation has the size of one event, inflated or not", async () => {
  for (const [body, headers] of [
    [zipped(" ".repeat(1_000_001)), GZIP],
    [new Uint8Array(1_000_001).fill(32), {}],
    [zipped(" ".repeat(20_000_000)), GZIP],
  ] as const) {
    const asked = await edge.request("/v1/events/calculate", { method: "POST", body, headers });
    expect([asked.status, await asked.json()]).toMatchObject([
      413,
      { message: "the body has more than 1000000 bytes" },
    ]);
  }
});

interface Operation {
  readonly path: string;
  readonly method: string;
}

/** Every operation of the document that reads a body, its parameters filled in. */
async function operations(): Promise<Operation[]> {
  const { paths } = await (await edge.request("/openapi.json")).json<{
    paths: Record<string, Record<string, { requestBody?: unknown }>>;
  }>();
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { requestBody }]) => requestBody !== undefined)
      .map(([method]) => ({ path: path.replace("{version}", "1").replace(/\{\w+\}/g, METER), method })),
  );
}

/** A body of which is counted what was taken. */
function counted(bytes: number): { readonly body: ReadableStream<Uint8Array>; taken(): number } {
  const chunk = new Uint8Array(65_536).fill(32);
  let taken = 0;
  const body = new ReadableStream(
    {
      type: "bytes",
      pull(controller: ReadableByteStreamController) {
        if (taken >= bytes) return controller.close();
        taken += chunk.length;
        controller.enqueue(chunk.slice());
      },
    },
    { highWaterMark: 0 },
  );
  return { body, taken: () => taken };
}

it("no route reads more than its bound of a body that goes on, nor anything of one that declares more", async () => {
  const key = `operator-${crypto.randomUUID()}`;
  await bindings.LEDGER.prepare(
    `INSERT INTO api_keys (id, hash, tenant, name, permissions, platform_ids, created_at) VALUES (?1, ?2, ?3, 'all',
    '["METER_DATA.INGEST","WEIR.ADMIN","WEIR.OPERATOR"]', '["*"]', 0)`,
  )
    .bind(key, hashApiKey(key), edge.tenant)
    .run();
  const all = await operations();
  expect(all.length).toBeGreaterThan(20);
  for (const { path, method } of all) {
    const type = path === "/oauth/token" ? "application/x-www-form-urlencoded" : "application/json";
    const headers = { "x-api-key": key, "if-match": "*", "content-type": type };
    const endless = counted(150_000_000);
    const answer = await edge.request(path, { method, headers, body: endless.body });
    expect([path, answer.status], await answer.text()).toEqual([path, expect.toBeOneOf([404, 413])]);
    expect(endless.taken(), path).toBeLessThan(5_000_000);
    const declared = counted(150_000_000);
    const refused = await edge.request(path, {
      ...{ method, body: declared.body },
      headers: { ...headers, "content-length": "150000000" },
    });
    expect([path, refused.status]).toEqual([path, answer.status]);
    expect(declared.taken(), path).toBe(0);
  }
});

it.each<[string, string]>([
  ["Zuora-Entity-Ids", "e".repeat(2_001)],
  ["Zuora-Org-Ids", "o".repeat(60_000)],
  ["Zuora-Org-Ids", Array.from({ length: 51 }, (_, i) => `o${i}`).join(",")],
  ["Zuora-Entity-Ids", "entit\u00e9"],
  ["x-platform-id", "p".repeat(257)],
  ["x-platform-id", "p".repeat(60_000)],
  ["Idempotency-Key", "k".repeat(256)],
  ["Zuora-Track-Id", "t".repeat(65)],
  ["Weir-Producer", "p".repeat(129)],
])("%s that is too long is 400 and named, wherever it is kept or sent on", async (name, sent) => {
  const headers = { [name]: sent, "weir-sequence": "1", ...(name === "Weir-Producer" ? {} : { "weir-producer": "p" }) };
  const refused = await edge.post(METER, event(), headers);
  const { reasons } = await refused.json<{ reasons: { field: string }[] }>();
  expect([refused.status, reasons.map(({ field }) => field)]).toEqual([400, [name]]);
  if (name === "Zuora-Track-Id" || name === "Weir-Producer") return;
  const body = new TextEncoder().encode(JSON.stringify({ meter_reference: "m" }));
  const asked = await edge.request("/v1/events/calculate", { method: "POST", body, headers: { [name]: sent } });
  expect([asked.status, await asked.json()]).toMatchObject([400, { field: name }]);
});

it("positions that would end beyond 2^53-1 are refused, and the last one is taken", async () => {
  const post = (sequence: string, count: number) =>
    edge.post(METER, `[${events(count).join(",")}]`, { "weir-producer": "last", "weir-sequence": sequence });
  for (const [sequence, count] of [
    ["9007199254740991", 2],
    ["9007199254740990", 3],
    ["9007199254740991", 1000],
    ["9007199254740992", 1],
  ] as const) {
    const refused = await post(sequence, count);
    expect([refused.status, await refused.json()]).toMatchObject([400, { reasons: [{ field: "Weir-Sequence" }] }]);
  }
  expect((await post("9007199254740990", 2)).status).toBe(200);
  const row = (await edge.ledger()).find(({ producer }) => producer === "last");
  expect(row).toMatchObject({ accepted: 2, first_sequence: 9007199254740990, last_sequence: Number.MAX_SAFE_INTEGER });
});
