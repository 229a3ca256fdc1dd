/** The least that could take events durably: HTTP, gunzip, `JSON.parse` of each line, one row and one commit a request. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { DatabaseSync } from "node:sqlite";
import { gunzipSync } from "node:zlib";

const db = new DatabaseSync(process.argv[2] ?? "");
db.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
  CREATE TABLE bodies (id INTEGER PRIMARY KEY, body BLOB NOT NULL)`);
const insert = db.prepare("INSERT INTO bodies (body) VALUES (?)");

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body = gunzipSync(Buffer.concat(chunks));
    for (const line of body.toString("utf8").split("\n")) JSON.parse(line);
    insert.run(body);
    response.writeHead(200, { "content-type": "application/json" }).end("{}");
  });
});
server.listen(0, "127.0.0.1", () => {
  console.log(`floor ready on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
process.once("SIGTERM", () => process.exit(0));
