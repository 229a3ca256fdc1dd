/**
 * The least Worker that could keep events: inflates, parses every line, stores the same bytes in one statement. With
 * `?key=` one more statement adds a key an event: its own id, or a cheap hash of its text, far less than an identity takes.
 * `/drain` empties what it keeps into a URL.
 */
import { gunzipSync } from "node:zlib";

interface Statement {
  bind(...values: readonly (string | number)[]): Statement;
  all<T>(): Promise<{ readonly results: readonly T[] }>;
}

interface Env {
  readonly LEDGER: { prepare(sql: string): Statement; batch(statements: readonly Statement[]): Promise<unknown> };
}

const DRAIN_CHARACTERS = 1_000_000;
/** D1 says no to more than 2 MB a row, and a page of rows is in memory at once. */
const DRAIN_ROWS = 2_000;

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname === "/healthz") return new Response("ok");
    if (url.pathname === "/drain") return Response.json({ events: await drain(env, url.searchParams.get("to") ?? "") });
    const bytes = new Uint8Array(await request.arrayBuffer());
    const isGzip = request.headers.get("content-encoding") === "gzip";
    const text = new TextDecoder().decode(isGzip ? gunzipSync(bytes) : bytes);
    const lines = text.split("\n");
    const parsed = lines.map((line) => JSON.parse(line) as { readonly EventId?: string });
    const body = env.LEDGER.prepare("INSERT INTO bodies (body, events) VALUES (?1, ?2)").bind(text, lines.length);
    const key = url.searchParams.get("key");
    if (key === null) await env.LEDGER.batch([body]);
    else {
      const keys = key === "id" ? parsed.map(({ EventId }) => EventId) : lines.map(cheapHash);
      const insert = env.LEDGER.prepare("INSERT OR IGNORE INTO keys (key) SELECT value FROM json_each(?1)");
      await env.LEDGER.batch([body, insert.bind(JSON.stringify(keys))]);
    }
    return Response.json({ accepted: lines.length });
  },
};

/** 53 bits, not safe against anybody. */
function cheapHash(text: string): number {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    high = Math.imul(high ^ code, 2_654_435_761);
    low = Math.imul(low ^ code, 1_597_334_677);
  }
  return 4_294_967_296 * (2_097_151 & (high ^ (low >>> 13))) + ((low ^ (high >>> 16)) >>> 0);
}

/** @returns how many events it passed on, a call after the other. */
async function drain({ LEDGER }: Env, to: string): Promise<number> {
  const next = LEDGER.prepare(
    `SELECT max(id) AS last, sum(events) AS events, group_concat(body, ',') AS bodies FROM (
      SELECT id, events, replace(body, char(10), ',') AS body, sum(length(body)) OVER (ORDER BY id) AS sofar FROM (
        SELECT id, events, body FROM bodies ORDER BY id LIMIT ${DRAIN_ROWS}) ORDER BY id)
      WHERE sofar <= ${DRAIN_CHARACTERS}`,
  );
  const done = LEDGER.prepare("DELETE FROM bodies WHERE id <= ?1");
  let drained = 0;
  for (;;) {
    const { results } = await next.all<{ last: number | null; events: number; bodies: string }>();
    const row = results[0];
    if (row === undefined || row.last === null) return drained;
    const headers = { "content-type": "application/json" };
    const answer = await fetch(to, { method: "POST", headers, body: `[${row.bodies}]` });
    if (!answer.ok) throw new Error(`the destination answered ${answer.status}`);
    await answer.text();
    await LEDGER.batch([done.bind(row.last)]);
    drained += row.events;
  }
}
