/**
 * Solvimon itself as the destination: persist, charge and adjustment events one a call, meter data in lists that
 * it takes or refuses whole. Bodies go out plain: they are short, and no published word says that it inflates.
 */
import { parseStream } from "../../shared/events/kind.ts";
import { withTimestamp } from "../../shared/intake/solvimon-answer.ts";
import { HEADER, SOLVIMON_PATHS } from "../../shared/wire.ts";
import { eventBytes } from "../buffer/tables/event-run.ts";
import type { PendingRun } from "../buffer/transactions/operations.ts";
import { isoTime, versioned } from "./call-body.ts";
import type { Dialect } from "./dialect.ts";
import type { Transport } from "./transport.ts";
import { judgeVendor } from "./vendor-answer.ts";

/** Meter data of one list, by the vendor's documentation; as many single calls are fixed together. */
const EVENTS_MAX = 50;

export function createSolvimonDialect(transport: Transport): Dialect {
  return {
    name: "solvimon",
    fixesShipments: true,
    way(stream) {
      const kind = parseStream(stream)?.kind;
      if (kind === undefined || kind === "usage") {
        return { kind: "none", why: `${stream} stays here: a solvimon destination takes no usage streams` };
      }
      return { kind: kind === "meter-data" ? "batches" : "single", eventsMax: EVENTS_MAX };
    },
    exchange: ({ stream, run, key }) => ({
      method: "POST",
      ...addressed(stream, run),
      headers: {
        ...(key === null ? {} : { [HEADER.idempotencyKey]: key }),
        ...(run.scope.platformId === null ? {} : { [HEADER.platformId]: run.scope.platformId }),
      },
      coding: "identity",
    }),
    send: async (exchange, signal) => ({ result: await transport.send(exchange, signal), left: true }),
    judge: (result, _sent, history, nowMs) => judgeVendor(result, history, nowMs),
    // An empty list is refused after the key was looked at, and leaves nothing behind.
    greet: (signal) =>
      transport.send(
        {
          method: "POST",
          path: versioned(SOLVIMON_PATHS["meter-data"].list[0]),
          headers: {},
          body: Buffer.from('{"meter_datas":[]}'),
          coding: "identity",
        },
        signal,
      ),
    isLetIn: (status) => (status >= 200 && status < 300) || status === 400 || status === 429,
    schemaSource: null,
    calculator: transport,
    close: () => transport.close(),
  };
}

function addressed(stream: string, run: PendingRun) {
  const kind = parseStream(stream)?.kind;
  if (kind === undefined || kind === "usage") throw new RangeError(`${stream} does not go to Solvimon`);
  const events = Array.from(run.receivedAt, (receivedAt, index) =>
    withTimestamp(Buffer.from(eventBytes(run.events, index)).toString("utf8"), isoTime(receivedAt)),
  );
  if (kind === "meter-data") {
    const body = Buffer.from(`{"meter_datas":[${events.join(",")}]}`);
    return { path: versioned(SOLVIMON_PATHS[kind].list[0]), body };
  }
  return { path: versioned(SOLVIMON_PATHS[kind].single[0]), body: Buffer.from(events.join("")) };
}
