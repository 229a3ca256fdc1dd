/** A vendor as the destination: its rules carried out over the agent's transport. */
import { judge } from "../../shared/vendors/judge.ts";
import { createTokenKeeper } from "../../shared/vendors/token.ts";
import type { Client, Vendor, VendorRequest } from "../../shared/vendors/vendor.ts";
import { eventBytes } from "../buffer/tables/event-run.ts";
import type { PendingRun } from "../buffer/transactions/read.ts";
import type { Clock } from "../runtime/clock.ts";
import type { CallCargo, Dialect } from "./dialect.ts";
import type { Exchange, ExchangeResult, Transport } from "./transport.ts";

/** Single calls that are fixed on disk and settled together. */
const SINGLES_MAX = 50;

export interface VendorDialectOptions {
  readonly vendor: Vendor;
  /** With the key, where the vendor takes one. */
  readonly transport: Transport;
  /** Null where the vendor takes a key. */
  readonly client: Client | null;
  readonly clock: Clock;
}

export function createVendorDialect({ vendor, transport, client, clock }: VendorDialectOptions): Dialect {
  const { credentials, greeting } = vendor;
  const tokens =
    credentials.kind === "token" && client !== null
      ? createTokenKeeper<ExchangeResult>(credentials, client, clock.tick, "shared")
      : null;
  const ask = (signal: AbortSignal) => (request: VendorRequest) => transport.send(exchangeOf(request), signal);

  return {
    vendor,
    fixesShipments: vendor.repeatsKnownBy === "key",
    deliveryMode(stream) {
      const mode = vendor.deliveryMode(stream);
      if (mode.kind === "none") return mode;
      return { kind: mode.kind, eventsMax: mode.kind === "single" ? SINGLES_MAX : mode.limits.eventsMax };
    },
    exchange: (cargo) => ingestExchange(vendor, cargo),
    async send(exchange, signal) {
      if (tokens === null) return { result: await transport.send(exchange, signal), left: true };
      return tokens.send(ask(signal), (headers) =>
        transport.send({ ...exchange, headers: { ...exchange.headers, ...headers } }, signal),
      );
    },
    judge: (result, sent, history, nowMs) => judge(vendor, result, sent, history, nowMs),
    async greet(signal) {
      if (greeting !== null) return ask(signal)(greeting);
      return (await tokens?.trouble(ask(signal))) ?? LET_IN;
    },
    isLetIn: (answer) => vendor.isLetIn(answer),
    schemaSource: vendor.isEdge ? transport : null,
    calculator: vendor.calculatePath === null ? null : transport,
    close: () => transport.close(),
  };
}

/** A token was had, which is all there is to ask. */
const LET_IN: ExchangeResult = {
  ...{ kind: "answer", status: 200, retryAfter: null, etag: null, dateMs: null, repeated: false, body: null },
};

function exchangeOf({ body, ...request }: VendorRequest): Exchange {
  return request.method === "GET" ? request : { ...request, body: Buffer.from(body) };
}

function ingestExchange(vendor: Vendor, { stream, run, producer, key }: CallCargo): Exchange {
  const position = { producer, first: run.first };
  const receivedAt = () => Array.from(run.receivedAt, isoTime);
  const call = { stream, scope: run.scope, key, position, receivedAt };
  const { before, after, ...request } = vendor.ingest(call);
  const body = Buffer.concat([Buffer.from(before), eventsOf(vendor, run), Buffer.from(after)]);
  return { ...request, body };
}

function eventsOf({ editEvent }: Vendor, run: PendingRun): Uint8Array {
  if (editEvent === null) return run.events.body;
  const events = Array.from(run.receivedAt, (receivedAt, index) =>
    editEvent(Buffer.from(eventBytes(run.events, index)).toString("utf8"), isoTime(receivedAt)),
  );
  return Buffer.from(events.join(","));
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
