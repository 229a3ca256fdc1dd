/** Weir's own edge as the destination: lists of every stream, each event's position beside it. */
import { parseStream } from "../../shared/events/kind.ts";
import type { SolvimonKind } from "../../shared/events/solvimon-fields.ts";
import { LIST_MEMBER } from "../../shared/intake/solvimon-answer.ts";
import { decide } from "../../shared/verdict.ts";
import { HEADER, SOLVIMON_PATHS, usagePath } from "../../shared/wire.ts";
import type { PendingRun, Scope } from "../buffer/transactions/operations.ts";
import { readAcknowledgement } from "./answer.ts";
import { isoTime, listBody, versioned } from "./call-body.ts";
import type { Dialect } from "./dialect.ts";
import type { Transport } from "./transport.ts";

export function createEdgeDialect(transport: Transport): Dialect {
  return {
    name: "edge",
    fixesShipments: false,
    way: () => ({ kind: "batches", eventsMax: Number.POSITIVE_INFINITY }),
    exchange: ({ stream, run, producer }) => ({
      method: "POST",
      ...addressed(stream, run),
      headers: {
        [HEADER.producer]: producer,
        [HEADER.sequence]: String(run.first),
        [HEADER.prefer]: "handling=lenient, return=representation",
        ...scopeHeaders(run.scope),
      },
    }),
    send: async (exchange, signal) => ({ result: await transport.send(exchange, signal), left: true }),
    judge(result, sent, _history, nowMs) {
      // The edge folds repeats by position, so an earlier attempt without an answer never makes a 409 a success.
      const history = { outcomeUnknown: false };
      if (result.kind === "no-response") return { verdict: decide(result, history, nowMs), conflicts: [] };
      const { status, retryAfter, body } = result;
      const isSuccess = status >= 200 && status < 300;
      const acknowledgement = isSuccess ? readAcknowledgement(status, body, sent) : null;
      // Halving finds the events the answer did not name; the edge folds what it has by position.
      if (acknowledgement?.kind === "unnamed-conflicts") return { verdict: { kind: "bisect" }, conflicts: [] };
      const accounted = acknowledgement?.kind !== "unaccounted";
      return {
        verdict: decide({ kind: "answer", status, retryAfter, accounted }, history, nowMs),
        conflicts: acknowledgement?.kind === "accounted" ? acknowledgement.conflicts : [],
      };
    },
    greet: (signal) => transport.send({ method: "GET", path: "/schemas", headers: {} }, signal),
    isLetIn: (status) => status === 200 || status === 429,
    schemaSource: transport,
    calculator: transport,
    close: () => transport.close(),
  };
}

function addressed(stream: string, run: PendingRun) {
  const parsed = parseStream(stream);
  if (parsed === null) throw new RangeError(`no path to upload ${stream} to`);
  if (parsed.kind === "usage") return { path: usagePath(parsed.meterGlobalId), body: listBody("[", run, "]") };
  return { path: versioned(SOLVIMON_PATHS[parsed.kind].list[0]), body: solvimonList(parsed.kind, run) };
}

function solvimonList(kind: SolvimonKind, run: PendingRun): Uint8Array {
  const times = Array.from(run.receivedAt, isoTime);
  return listBody(`{"${LIST_MEMBER[kind]}":[`, run, `],"received_at":${JSON.stringify(times)}}`);
}

function scopeHeaders({ entityIds, orgIds, platformId }: Scope): Record<string, string> {
  return {
    ...(entityIds === null ? {} : { [HEADER.entityIds]: entityIds }),
    ...(orgIds === null ? {} : { [HEADER.orgIds]: orgIds }),
    ...(platformId === null ? {} : { [HEADER.platformId]: platformId }),
  };
}
