/**
 * The least that could empty a backlog: reads a row of `FILE` at a time, gzips it, posts it to `URL`, four at once, and
 * deletes it when it was answered. Prints its seconds and its peak of resident memory.
 */
import { readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import { Pool } from "undici";

const [file = "", url = ""] = process.argv.slice(2);
const CALLS_AT_ONCE = 4;
const gzipped = promisify<Uint8Array, object, Buffer>(gzip);
const startedAt = performance.now();
const db = new DatabaseSync(file);
db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
const select = db.prepare("SELECT id, body FROM bodies WHERE id > ? ORDER BY id LIMIT 1");
const remove = db.prepare("DELETE FROM bodies WHERE id = ?");
const pool = new Pool(url, { connections: CALLS_AT_ONCE });
let last = 0;

async function pump(): Promise<void> {
  for (let row = select.get(last); row !== undefined; row = select.get(last)) {
    last = Number(row["id"]);
    const body = await gzipped(row["body"] as Uint8Array, { level: constants.Z_BEST_SPEED });
    const headers = { "content-type": "application/json", "content-encoding": "gzip" };
    const { body: answer } = await pool.request({ method: "POST", path: "/", headers, body });
    await answer.text();
    remove.run(Number(row["id"]));
  }
}

await Promise.all(Array.from({ length: CALLS_AT_ONCE }, pump));
await pool.close();
const seconds = (performance.now() - startedAt) / 1000;
const peakKb = Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? 0);
console.log(JSON.stringify({ seconds, peakMb: Math.round(peakKb / 1024) }));
