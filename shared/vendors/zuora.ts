/** Zuora Mediation: a bearer token, gzipped arrays of usage, an idempotency key a call. */
import { parseStream } from "../events/kind.ts";
import { HEADER, USAGE_PATH, usagePath } from "../wire.ts";
import { accountedFor, readObject } from "./answer-body.ts";
import { readToken } from "./token.ts";
import type { Vendor } from "./vendor.ts";

/** A production tenant's; smaller ones answer 413 and are learned, or set. */
const LIMITS = { bytesMax: 4_000_000, eventsMax: 10_000 };

export const zuora: Vendor = {
  name: "zuora",
  title: "zuora's side",
  permission: null,
  credentials: {
    kind: "token",
    request: ({ id, secret }) => ({
      method: "POST",
      path: "/oauth/token",
      headers: {},
      contentType: "application/x-www-form-urlencoded",
      coding: "identity",
      body: new URLSearchParams({
        client_id: id,
        client_secret: secret,
        grant_type: "client_credentials",
      }).toString(),
    }),
    read: readToken,
    headers: (token) => ({ [HEADER.authorization]: `Bearer ${token}` }),
  },
  repeatsKnownBy: "key",
  answerBytesMax: 4_000_000,
  deliveryMode: (stream) =>
    parseStream(stream)?.kind === "usage"
      ? { kind: "batches", limits: LIMITS }
      : { kind: "none", why: `${stream} stays here: a zuora destination takes usage streams only` },
  ingestPath: USAGE_PATH,
  ingest({ stream, scope, key }, ingestPath = USAGE_PATH) {
    const parsed = parseStream(stream);
    if (parsed?.kind !== "usage") throw new RangeError(`${stream} does not go to Zuora`);
    const { entityIds, orgIds } = scope;
    return {
      method: "POST",
      path: usagePath(parsed.meterGlobalId, ingestPath),
      headers: {
        ...(key === null ? {} : { [HEADER.idempotencyKey]: key }),
        ...(entityIds === null ? {} : { [HEADER.entityIds]: entityIds }),
        ...(orgIds === null ? {} : { [HEADER.orgIds]: orgIds }),
      },
      contentType: "application/json",
      coding: "gzip",
      before: "[",
      after: "]",
    };
  },
  editEvent: null,
  readSuccess({ body }) {
    const said = readObject(body);
    // A 200 may deny itself: `success` is a member of every answer. What lies deeper may be an event that came back.
    return accountedFor(said !== null && said["success"] !== false);
  },
  greeting: null,
  isLetIn: ({ status }) => status === 200 || status === 429,
  calculatePath: null,
  isEdge: false,
};
