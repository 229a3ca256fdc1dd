/** Weir's own edge as a destination: lists of every stream, each event's position beside it. */
import { z } from "zod";
import { parseStream, SOLVIMON, type SolvimonKind } from "../events/kind.ts";
import { HEADER, usagePath } from "../wire.ts";
import { readObject, reasonOf, reasonSchema } from "./answer-body.ts";
import { solvimonPath } from "./solvimon.ts";
import type { Answer, Reading, Vendor, VendorScope } from "./vendor.ts";

/** The edge's defaults are learned by 413 where they are lower, so that nothing here stands in their way. */
const LIMITS = { bytesMax: Number.POSITIVE_INFINITY, eventsMax: Number.POSITIVE_INFINITY };

export const weir: Vendor = {
  name: "edge",
  title: "an edge",
  permission: "METER_DATA.INGEST",
  credentials: { kind: "key", headers: (key) => ({ [HEADER.apiKey]: key }) },
  repeatsKnownBy: "position",
  // A result with reasons for each of 10,000 events stays well below.
  answerBytesMax: 32 * 1024 * 1024,
  deliveryMode: () => ({ kind: "batches", limits: LIMITS }),
  ingestPath: null,
  ingest({ stream, scope, position, receivedAt }) {
    const parsed = parseStream(stream);
    if (parsed === null) throw new RangeError(`no path to upload ${stream} to`);
    return {
      method: "POST",
      ...(parsed.kind === "usage"
        ? { path: usagePath(parsed.meterGlobalId), before: "[", after: "]" }
        : solvimonList(parsed.kind, receivedAt())),
      headers: {
        ...(position === null
          ? {}
          : { [HEADER.producer]: position.producer, [HEADER.sequence]: String(position.first) }),
        [HEADER.prefer]: "handling=lenient, return=representation",
        ...scopeHeaders(scope),
      },
      contentType: "application/json",
      coding: "gzip",
    };
  },
  editEvent: null,
  readSuccess: readAcknowledgement,
  greeting: {
    ...{ method: "GET", path: "/schemas", headers: {}, body: "" },
    ...{ contentType: "application/json", coding: "identity" },
  },
  isLetIn: ({ status }) => status === 200 || status === 429,
  calculatePath: solvimonPath("/events/calculate"),
  isEdge: true,
};

function solvimonList(kind: SolvimonKind, receivedAt: readonly string[]) {
  return {
    path: solvimonPath(SOLVIMON[kind].paths.list[0]),
    before: `{"${SOLVIMON[kind].listMember}":[`,
    after: `],"received_at":${JSON.stringify(receivedAt)}}`,
  };
}

function scopeHeaders({ entityIds, orgIds, platformId }: VendorScope): Record<string, string> {
  return {
    ...(entityIds === null ? {} : { [HEADER.entityIds]: entityIds }),
    ...(orgIds === null ? {} : { [HEADER.orgIds]: orgIds }),
    ...(platformId === null ? {} : { [HEADER.platformId]: platformId }),
  };
}

const count = z.int().nonnegative().optional();

const answerSchema = z.looseObject({
  accepted: count,
  duplicates: count,
  conflicts: count,
  quarantined: count,
  results: z
    .array(
      z.looseObject({ index: z.int().nonnegative(), status: z.string(), reasons: z.array(reasonSchema).optional() }),
    )
    .optional(),
});

const NOTHING: Reading = { accounted: "none", conflicts: [] };

/**
 * Reads a 2xx. Absent counts are 0; the four must add up to the events sent, or nothing is believed. Where conflicts
 * are counted and not named, halving finds them: the edge folds what it has by position.
 */
function readAcknowledgement({ status, body }: Answer, sent: number): Reading {
  const parsed = answerSchema.safeParse(readObject(body));
  if (!parsed.success) return NOTHING;
  const { accepted = 0, duplicates = 0, conflicts = 0, quarantined = 0, results = [] } = parsed.data;
  if (accepted + duplicates + conflicts + quarantined !== sent) return NOTHING;
  if (conflicts === 0) return { accounted: "all", conflicts: [] };
  const named = results.filter((result) => result.status === "conflict" && result.index < sent);
  const indexes = new Set(named.map((result) => result.index));
  if (indexes.size === conflicts && named.length === conflicts) {
    const reasons = named.map(({ index, reasons: of }) => ({ index, reason: reasonOf(status, of?.[0], "conflict") }));
    return { accounted: "all", conflicts: reasons };
  }
  const message = "the destination has other content under this identity";
  if (sent === 1) return { accounted: "all", conflicts: [{ index: 0, reason: { status, message } }] };
  return { accounted: "some", conflicts: [] };
}
