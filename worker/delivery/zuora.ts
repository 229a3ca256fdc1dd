/** Zuora Mediation's streaming ingestion as an upstream: OAuth token, gzipped arrays, an idempotency key. */
import { parseStream } from "../../shared/events/kind.ts";
import type { ZuoraSettings } from "../env.ts";
import type { UpstreamContext } from "../intake/scope.ts";
import type { CallOutcome, Dialect, OutboundCall } from "./dialect.ts";
import { exchange, type Fetch, gzip } from "./exchange.ts";

/** A token is fetched anew this long before it ends. */
const TOKEN_MARGIN_MS = 60_000;

interface Token {
  readonly value: string;
  readonly until: number;
}

type TokenOutcome =
  | { readonly kind: "token"; readonly token: Token }
  | { readonly kind: "none"; readonly outcome: CallOutcome };

/** @param settings with a base URL. */
export function createZuora(settings: ZuoraSettings & { baseUrl: string }, fetch: Fetch, now: () => number): Dialect {
  let token: Token | null = null;
  let fetching: Promise<TokenOutcome> | null = null;

  /** One request for a token serves every call that waits for it. */
  function currentToken(timeoutMs: number): Promise<TokenOutcome> {
    if (token !== null && now() < token.until) return Promise.resolve({ kind: "token", token });
    fetching ??= fetchToken(settings, fetch, now, timeoutMs).finally(() => {
      fetching = null;
    });
    return fetching;
  }

  async function attempt(call: OutboundCall, body: Uint8Array): Promise<CallOutcome & { token?: Token }> {
    const held = await currentToken(call.timeoutMs);
    if (held.kind === "none") return held.outcome;
    token = held.token;
    const headers = ingestHeaders(call, held.token.value);
    const answer = await exchange(fetch, ingestUrl(settings, call), { method: "POST", headers, body }, call.timeoutMs);
    return { ...answer, sent: true, token: held.token };
  }

  return {
    name: "zuora",
    takesSingly: false,
    limitsOf: () => ({ bytesMax: settings.bytesMax, eventsMax: settings.eventsMax }),
    async send(call) {
      const body = await gzip(`[${call.text}]`);
      const first = await attempt(call, body);
      const refused = first.sent && first.result.kind === "answer" && first.result.status === 401;
      if (!refused) return first;
      // The token may have ended early: one fresh one, the same call again.
      if (token === first.token) token = null;
      return attempt(call, body);
    },
  };
}

function ingestUrl(settings: ZuoraSettings & { baseUrl: string }, call: OutboundCall): string {
  const stream = parseStream(call.stream);
  const meter = stream?.kind === "usage" ? stream.meterGlobalId : call.stream;
  return settings.baseUrl + settings.ingestPath.replace("{meterGlobalId}", encodeURIComponent(meter));
}

function ingestHeaders(call: OutboundCall, token: string): Headers {
  const scope: UpstreamContext = call.context === "" ? {} : JSON.parse(call.context);
  const headers = new Headers({
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    "content-encoding": "gzip",
    "idempotency-key": call.callKey,
  });
  if (scope.entity !== undefined) headers.set("Zuora-Entity-Ids", scope.entity);
  if (scope.org !== undefined) headers.set("Zuora-Org-Ids", scope.org);
  return headers;
}

async function fetchToken(
  settings: ZuoraSettings & { baseUrl: string },
  fetch: Fetch,
  now: () => number,
  timeoutMs: number,
): Promise<TokenOutcome> {
  const form = new URLSearchParams({
    client_id: settings.clientId,
    client_secret: settings.clientSecret,
    grant_type: "client_credentials",
  });
  const { result, words } = await exchange(
    fetch,
    `${settings.baseUrl}/oauth/token`,
    { method: "POST", body: form },
    timeoutMs,
  );
  if (result.kind === "answer" && result.status === 200) {
    const token = readToken(words ?? "", now());
    if (token !== null) return { kind: "token", token };
    return refused({ kind: "answer", status: 502 }, "the token endpoint answered 200 without a token");
  }
  // Wrong credentials come as 400 or 401; either way no event is to blame, so none may be bisected.
  const denied = result.kind === "answer" && result.status >= 400 && result.status < 429 && result.status !== 408;
  return refused(denied ? { kind: "answer", status: 401 } : result, words);
}

function refused(result: CallOutcome["result"], words: string | null): TokenOutcome {
  return { kind: "none", outcome: { result, sent: false, words: `token: ${words ?? "no answer"}` } };
}

function readToken(body: string, now: number): Token | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  if (typeof parsed !== "object" || parsed === null || !("access_token" in parsed)) return null;
  if (typeof parsed.access_token !== "string") return null;
  const seconds = "expires_in" in parsed ? Number(parsed.expires_in) : 3600;
  const lifeMs = Number.isFinite(seconds) ? seconds * 1000 : 3_600_000;
  return { value: parsed.access_token, until: now + Math.max(1_000, lifeMs - TOKEN_MARGIN_MS) };
}
