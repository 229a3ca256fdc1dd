/** Backlogs on disk: of an agent, in its own log, and of the agent's floor. */
import { DatabaseSync } from "node:sqlite";
import { openStore } from "../../agent/buffer/store.ts";
import { METADATA } from "../../agent/buffer/tables/metadata.ts";
import { NO_SCOPE } from "../../agent/buffer/tables/scope.ts";
import { packEvents } from "../agent/support/pack-events.ts";
import { eventTexts } from "./load/requests.ts";
import { METERS } from "./meters.ts";

const EVENTS_A_ROW = 1000;
const BYTES_MIN = 64 * 1024 * 1024;
/** An event of 110 bytes, in the log and in the write-ahead log, with its batch's share of rows. */
const BYTES_AN_EVENT = 400;

/** The agent's `max_bytes` with which a backlog fits. */
export function bufferBytesFor(count: number): number {
  return Math.max(BYTES_MIN, count * BYTES_AN_EVENT);
}

/** Writes a log with `count` pending events. */
export function fillAgent(directory: string, count: number): void {
  const store = openStore({ directory, bytesMax: bufferBytesFor(count) });
  const metadata = [
    [METADATA.id, "bench"],
    [METADATA.log, "benchlog"],
  ] as const;
  store.run([{ kind: "remember", metadata }]);
  for (const texts of rowsOf(count, EVENTS_A_ROW)) {
    const { outcomes } = store.run([
      {
        ...{ kind: "append", stream: `usage/${METERS.plain}`, scope: NO_SCOPE, receivedAt: Date.now() },
        ...{ events: packEvents(texts), idempotency: null, strict: false },
      },
    ]);
    if (outcomes[0]?.kind !== "durable") throw new Error(`the backlog does not fit: ${JSON.stringify(outcomes[0])}`);
  }
  store.close();
}

/** Writes the floor's table with as many. */
export function fillFloor(file: string, count: number): void {
  const db = new DatabaseSync(file);
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
    CREATE TABLE bodies (first INTEGER PRIMARY KEY, events INTEGER NOT NULL, body BLOB NOT NULL); BEGIN`);
  const insert = db.prepare("INSERT INTO bodies (first, events, body) VALUES (?, ?, ?)");
  let first = 1;
  for (const texts of rowsOf(count, EVENTS_A_ROW)) {
    insert.run(first, texts.length, Buffer.from(texts.join("\n")));
    first += texts.length;
  }
  db.exec("COMMIT");
  db.close();
}

function* rowsOf(count: number, size: number): Generator<string[]> {
  for (let first = 0; first < count; first += size) {
    yield eventTexts(
      { ...{ meter: METERS.plain, hasId: false, gzip: false, producer: null }, size: Math.min(size, count - first) },
      first,
    );
  }
}
