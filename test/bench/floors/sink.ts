/** A destination without limits: answers every call as an edge that took all its events. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";

const EVENT_START = Buffer.from('{"CustomerId"');

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    if (request.method !== "POST") {
      response.writeHead(404).end();
      return;
    }
    const body = gunzipSync(Buffer.concat(chunks));
    let accepted = 0;
    for (let at = body.indexOf(EVENT_START); at >= 0; at = body.indexOf(EVENT_START, at + 1)) accepted++;
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ success: true, accepted }));
  });
});
server.listen(0, "127.0.0.1", () => {
  console.log(`sink ready on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
process.once("SIGTERM", () => process.exit(0));
