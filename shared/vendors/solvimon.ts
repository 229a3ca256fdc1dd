/**
 * Solvimon: a key, persist, charge and adjustment events one a call, meter data in lists that it takes or refuses
 * whole. Bodies go out plain: they are short, and no published word says that it inflates.
 */
import { parseStream, SOLVIMON } from "../events/kind.ts";
import { withTimestamp } from "../intake/solvimon-answer.ts";
import { HEADER, SOLVIMON_VERSION } from "../wire.ts";
import { accountedFor, readObject } from "./answer-body.ts";
import type { Vendor } from "./vendor.ts";

/** Meter data of one list call, by the vendor's documentation. */
const LIST_MAX = 50;
/** No bound on bytes is published; far above any single event. */
const BYTES_MAX = 8_000_000;

/** The path of one of its operations. */
export function solvimonPath(operation: string): string {
  return `/v${SOLVIMON_VERSION}${operation}`;
}

const LIST_PATH = solvimonPath(SOLVIMON["meter-data"].paths.list[0]);
const LIST_OPENING = `{"${SOLVIMON["meter-data"].listMember}":[`;
const PLAIN_JSON = { method: "POST", contentType: "application/json", coding: "identity" } as const;

export const solvimon: Vendor = {
  name: "solvimon",
  title: "solvimon's side",
  permission: null,
  credentials: { kind: "key", headers: (key) => ({ [HEADER.apiKey]: key }) },
  repeatsKnownBy: "key",
  // A list is answered with its events filled in.
  answerBytesMax: 2 * BYTES_MAX,
  deliveryMode(stream) {
    const kind = parseStream(stream)?.kind;
    if (kind === undefined || kind === "usage") {
      return { kind: "none", why: `${stream} stays here: a solvimon destination takes no usage streams` };
    }
    return kind === "meter-data"
      ? { kind: "batches", limits: { bytesMax: BYTES_MAX, eventsMax: LIST_MAX } }
      : { kind: "single", limits: { bytesMax: BYTES_MAX, eventsMax: 1 } };
  },
  ingestPath: null,
  ingest({ stream, scope, key }) {
    const kind = parseStream(stream)?.kind;
    if (kind === undefined || kind === "usage") throw new RangeError(`${stream} does not go to Solvimon`);
    const isList = kind === "meter-data";
    return {
      ...PLAIN_JSON,
      path: isList ? LIST_PATH : solvimonPath(SOLVIMON[kind].paths.single[0]),
      headers: {
        ...(key === null ? {} : { [HEADER.idempotencyKey]: key }),
        ...(scope.platformId === null ? {} : { [HEADER.platformId]: scope.platformId }),
      },
      before: isList ? LIST_OPENING : "",
      after: isList ? "]}" : "",
    };
  },
  editEvent: withTimestamp,
  // The resource, or the list of them. It documents no member that takes a 2xx back.
  readSuccess: ({ body }) => accountedFor(readObject(body) !== null),
  // An empty list is refused after the key was looked at, and leaves nothing behind.
  greeting: { ...PLAIN_JSON, path: LIST_PATH, headers: {}, body: `${LIST_OPENING}]}` },
  isLetIn: ({ status, body }) =>
    status === 429 || (((status >= 200 && status < 300) || status === 400) && readObject(body) !== null),
  calculatePath: solvimonPath("/events/calculate"),
  isEdge: false,
};
