/**
 * The least that could promise what the agent does: takes NDJSON by node:http, numbers its events, keeps a request as one
 * row of node:sqlite, fsynced before the 2xx, and sends what it keeps to `URL`, a call after the other, deleting what was
 * answered. Requests that came in one turn of the event loop share a commit. `FILE` may hold a backlog.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { constants, gunzipSync, gzip } from "node:zlib";
import { Pool } from "undici";

interface Waiting {
  readonly body: Buffer;
  readonly events: number;
  readonly response: ServerResponse;
}

const [file = "", url = ""] = process.argv.slice(2);
const CALL_BYTES = 1_000_000;
const RETRY_MS = 500;
const NEWLINE = Buffer.from("\n");
const gzipped = promisify<Uint8Array, object, Buffer>(gzip);

const db = new DatabaseSync(file);
db.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS bodies (first INTEGER PRIMARY KEY, events INTEGER NOT NULL, body BLOB NOT NULL)`);
const insert = db.prepare("INSERT INTO bodies (first, events, body) VALUES (?, ?, ?)");
const select = db.prepare("SELECT first, events, body FROM bodies WHERE first > ? ORDER BY first");
const remove = db.prepare("DELETE FROM bodies WHERE first <= ?");
const highest = db.prepare("SELECT first, events FROM bodies ORDER BY first DESC LIMIT 1").get();
let nextPosition = highest === undefined ? 1 : Number(highest["first"]) + Number(highest["events"]);

const pool = new Pool(url, { connections: 1 });
let waiting: Waiting[] = [];
let isSending = false;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => take(request, response, Buffer.concat(chunks)));
});

function take(request: IncomingMessage, response: ServerResponse, sent: Buffer): void {
  const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent;
  const lines = body.toString("utf8").split("\n");
  for (const line of lines) JSON.parse(line);
  waiting.push({ body, events: lines.length, response });
  if (waiting.length === 1) setImmediate(commit);
}

function commit(): void {
  const group = waiting;
  waiting = [];
  db.exec("BEGIN");
  for (const { body, events } of group) {
    insert.run(nextPosition, events, body);
    nextPosition += events;
  }
  db.exec("COMMIT");
  for (const { response, events } of group) {
    response.writeHead(200, { "content-type": "application/json" }).end(`{"accepted":${events}}`);
  }
  void send();
}

async function send(): Promise<void> {
  if (isSending) return;
  isSending = true;
  try {
    for (let call = nextCall(); call !== null; call = nextCall()) {
      const body = await gzipped(call.body, { level: constants.Z_BEST_SPEED });
      const headers = { "content-type": "application/x-ndjson", "content-encoding": "gzip" };
      const answer = await pool.request({ method: "POST", path: "/", headers, body });
      await answer.body.text();
      if (answer.statusCode !== 200) throw new Error(`the destination answered ${answer.statusCode}`);
      remove.run(call.last);
    }
  } catch {
    setTimeout(() => void send(), RETRY_MS);
  } finally {
    isSending = false;
  }
}

function nextCall(): { readonly last: number; readonly body: Buffer } | null {
  const parts: Uint8Array[] = [];
  let last = 0;
  let bytes = 0;
  for (const row of select.iterate(0)) {
    const body = row["body"] as Uint8Array;
    if (bytes > 0 && bytes + body.length > CALL_BYTES) break;
    parts.push(body, NEWLINE);
    bytes += body.length;
    last = Number(row["first"]);
  }
  return last === 0 ? null : { last, body: Buffer.concat(parts) };
}

server.listen(0, "127.0.0.1", () => {
  console.log(`floor ready on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  void send();
});
process.once("SIGTERM", () => process.exit(0));
