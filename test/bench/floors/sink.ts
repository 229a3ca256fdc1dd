/**
 * A destination without limits: answers every call as an edge, or a vendor, that took all its events, and counts them.
 * `/count` says how many came in how many calls, and when the last did (ms since 1970). Between a POST to `/hold` and one to
 * `/release` no call is answered, so that something can pile up before it; the release says how many events were held.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";

interface HeldCall {
  readonly events: number;
  answer(): void;
}

/** A member that each event has once. */
const EVENT_MARK = Buffer.from('"UsageIdentifier":');
let events = 0;
let calls = 0;
let lastAtMs = 0;
/** Calls that wait for the release; null while none has to. */
let held: HeldCall[] | null = null;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => answer(request, response, Buffer.concat(chunks)));
});

function answer({ method, url, headers }: IncomingMessage, response: ServerResponse, sent: Buffer): void {
  const json = (status: number, body: object) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  if (url === "/count") return void json(200, { events, calls, lastAtMs });
  if (url === "/oauth/token") return void json(200, { access_token: "bench", token_type: "bearer", expires_in: 3600 });
  if (method !== "POST") return void json(404, {});
  if (url === "/hold") {
    held = [];
    return void json(200, {});
  }
  if (url === "/release") {
    const waiting = held ?? [];
    held = null;
    for (const call of waiting) call.answer();
    return void json(200, { held: waiting.reduce((sum, call) => sum + call.events, 0) });
  }
  const accepted = eventsIn(headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent);
  const take = () => {
    calls++;
    events += accepted;
    lastAtMs = performance.timeOrigin + performance.now();
    json(200, { success: true, accepted });
  };
  if (held === null) take();
  else held.push({ events: accepted, answer: take });
}

function eventsIn(body: Buffer): number {
  let count = 0;
  for (let at = body.indexOf(EVENT_MARK); at >= 0; at = body.indexOf(EVENT_MARK, at + EVENT_MARK.length)) count++;
  return count;
}

server.listen(0, "127.0.0.1", () => {
  console.log(`sink ready on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
process.once("SIGTERM", () => process.exit(0));
