/** A vendor as an upstream: its rules carried out by the runtime's own fetch. */
import { createTokenKeeper } from "../../shared/vendors/token.ts";
import type { Vendor, VendorRequest, VendorResponse, VendorScope } from "../../shared/vendors/vendor.ts";
import type { UpstreamSettings } from "../env.ts";
import type { UpstreamContext } from "../intake/scope.ts";
import type { CallOutcome, Dialect, OutboundCall } from "./dialect.ts";
import { exchange, type Fetch, gzip } from "./exchange.ts";

/** Characters kept of a response; enough for a hundred reasons. */
const TEXT_KEPT = 65_536;

export interface UpstreamOptions {
  readonly settings: UpstreamSettings & { readonly baseUrl: string };
  readonly fetch: Fetch;
  readonly now: () => number;
  /** The name of the account: those of the settings are `default`. */
  readonly destination: string;
}

/** At most this many bytes go into a call, whatever a vendor takes: several are in memory at once. */
export const CALL_BYTES_MAX = 4_000_000;

export function createUpstream(vendor: Vendor, { settings, fetch, now, destination }: UpstreamOptions): Dialect {
  const { credentials } = vendor;
  const bound = { fetch, bytesMax: vendor.answerBytesMax };
  const post = (
    request: Omit<VendorRequest, "body">,
    body: BodyInit | null,
    headers: object,
    timeoutMs: number,
    url = settings.baseUrl + request.path,
  ) => {
    const coded = request.coding === "gzip" ? { "content-encoding": "gzip" } : {};
    const all = { ...request.headers, ...headers, "content-type": request.contentType, ...coded };
    const init = { method: request.method, headers: all, body };
    return exchange(bound, url, init, timeoutMs);
  };
  const client = { id: settings.clientId, secret: settings.clientSecret };
  const tokens =
    credentials.kind === "token" ? createTokenKeeper<VendorResponse>(credentials, client, now, "each") : null;

  async function sendWith(call: (headers: object) => Promise<VendorResponse>, timeoutMs: number) {
    if (credentials.kind === "key") return { result: await call(credentials.headers(settings.apiKey)), left: true };
    if (tokens === null) throw new Error("a vendor of tokens without a keeper of them");
    const tokenUrl = settings.tokenUrl ?? undefined;
    return tokens.send((request) => post(request, request.body, {}, timeoutMs, tokenUrl), call);
  }

  return {
    account: { vendor: vendor.name, destination },
    vendor,
    takesSingly: vendor.editEvent !== null,
    limitsOf(stream) {
      const mode = vendor.deliveryMode(stream);
      if (mode.kind === "none") return null;
      const { bytesMax, eventsMax } = mode.limits;
      return {
        bytesMax: Math.min(CALL_BYTES_MAX, settings.bytesMax ?? bytesMax),
        eventsMax: mode.kind === "single" ? eventsMax : (settings.eventsMax ?? eventsMax),
      };
    },
    async send(call) {
      const request = vendor.ingest(ingestOf(call), settings.ingestPath ?? undefined);
      const text = request.before + eventsText(vendor, call) + request.after;
      const body = request.coding === "gzip" ? await gzip(text) : text;
      const { result, left } = await sendWith(
        (headers) => post(request, body, headers, call.timeoutMs),
        call.timeoutMs,
      );
      return outcomeOf(result, left);
    },
  };
}

function ingestOf({ stream, context, callKey, events }: OutboundCall) {
  const named: UpstreamContext = context === "" ? {} : JSON.parse(context);
  const scope: VendorScope = {
    entityIds: named.entity ?? null,
    orgIds: named.org ?? null,
    platformId: named.platform ?? null,
  };
  const receivedAt = () => events().map((event) => event.receivedAt);
  return { stream, scope, key: callKey, position: null, receivedAt };
}

function eventsText({ editEvent }: Vendor, call: OutboundCall): string {
  if (editEvent === null) return call.text;
  return call
    .events()
    .map(({ source, receivedAt }) => editEvent(source, receivedAt))
    .join(",");
}

function outcomeOf(response: VendorResponse, left: boolean): CallOutcome {
  const text = response.kind === "answer" ? (response.body ?? "") : response.message;
  return { response, left, text: (left ? text : `token: ${text}`).slice(0, TEXT_KEPT) };
}
