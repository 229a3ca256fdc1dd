/** Zuora Mediation itself as the destination: a bearer token, gzipped arrays of usage, an idempotency key a call. */
import { parseStream } from "../../shared/events/kind.ts";
import { HEADER, usagePath } from "../../shared/wire.ts";
import type { Clock } from "../runtime/clock.ts";
import { listBody } from "./call-body.ts";
import type { Dialect } from "./dialect.ts";
import type { Exchange, Transport } from "./transport.ts";
import { judgeVendor } from "./vendor-answer.ts";
import { createZuoraTokens, type ZuoraClient } from "./zuora-token.ts";

/** A production tenant's limit; smaller ones answer 413 and are learned. */
const EVENTS_MAX = 10_000;

export interface ZuoraDialectOptions {
  readonly transport: Transport;
  readonly client: ZuoraClient;
  readonly clock: Clock;
}

export function createZuoraDialect({ transport, client, clock }: ZuoraDialectOptions): Dialect {
  const tokens = createZuoraTokens(transport, client, clock);

  async function attempt(exchange: Exchange, signal: AbortSignal) {
    const held = await tokens.current(signal);
    if (held.kind === "none") return { result: held.result, left: false, token: null };
    const headers = { ...exchange.headers, [HEADER.authorization]: `Bearer ${held.token}` };
    return { result: await transport.send({ ...exchange, headers }, signal), left: true, token: held.token };
  }

  return {
    name: "zuora",
    fixesShipments: true,
    way(stream) {
      if (parseStream(stream)?.kind === "usage") return { kind: "batches", eventsMax: EVENTS_MAX };
      return { kind: "none", why: `${stream} stays here: a zuora destination takes usage streams only` };
    },
    exchange({ stream, run, key }) {
      const parsed = parseStream(stream);
      if (parsed?.kind !== "usage") throw new RangeError(`${stream} does not go to Zuora`);
      const { entityIds, orgIds } = run.scope;
      return {
        method: "POST",
        path: usagePath(parsed.meterGlobalId),
        headers: {
          ...(key === null ? {} : { [HEADER.idempotencyKey]: key }),
          ...(entityIds === null ? {} : { [HEADER.entityIds]: entityIds }),
          ...(orgIds === null ? {} : { [HEADER.orgIds]: orgIds }),
        },
        body: listBody("[", run, "]"),
      };
    },
    async send(exchange, signal) {
      const first = await attempt(exchange, signal);
      const isRefused = first.token !== null && first.result.kind === "answer" && first.result.status === 401;
      if (!isRefused) return first;
      // The token may have ended early: one fresh one, the same call again.
      tokens.drop(first.token);
      const second = await attempt(exchange, signal);
      if (second.result.kind === "answer" && second.result.status === 401) tokens.drop(second.token);
      return second;
    },
    judge: (result, _sent, history, nowMs) => judgeVendor(result, history, nowMs),
    async greet(signal) {
      const held = await tokens.current(signal);
      if (held.kind === "none") return held.result;
      return { kind: "answer", status: 200, retryAfter: null, etag: null, dateMs: null, repeated: false, body: null };
    },
    isLetIn: (status) => status === 200 || status === 429,
    schemaSource: null,
    calculator: null,
    close: () => transport.close(),
  };
}
