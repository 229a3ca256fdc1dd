/** The token that requests must carry where one is configured, and `POST /oauth/token`, which hands it out. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { clientCredentialsOf } from "../../shared/intake/client-credentials.ts";
import { usageRefusal } from "../../shared/intake/usage-answer.ts";
import { HEADER } from "../../shared/wire.ts";
import type { Answer } from "./answer.ts";

/** What an answer of 401 asks for. */
export const CHALLENGE = { [HEADER.wwwAuthenticate]: "Bearer" } as const;

/** As long as the edge's tokens last, so that a client renews as often. */
const TOKEN_SECONDS = 3600;
/** Where no token is configured any will do. */
const ANY_TOKEN = "weir-agent";
/** A grant is three short fields. */
export const FORM_BYTES_MAX = 16_384;

/** Whether a request carries the token, as a key or as a bearer token; compares in a time that tells nothing of it. */
export function carriesToken(headers: IncomingHttpHeaders, token: string): boolean {
  const key = headers[HEADER.apiKey]?.toString().trim();
  const bearer = /^Bearer +(\S+) *$/i.exec(headers[HEADER.authorization] ?? "")?.[1];
  return [key, bearer].some((given) => given !== undefined && isSame(given, token));
}

/**
 * Answers an OAuth client with a token, so that one made for Zuora changes its base URL and nothing else.
 * @param token the configured one, which the client's secret must be; null where any will do.
 */
export function grantToken(headers: IncomingHttpHeaders, body: Uint8Array, token: string | null): Answer {
  const type = (headers[HEADER.contentType] ?? "").split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/x-www-form-urlencoded") {
    return deny(415, "invalid_request", "send application/x-www-form-urlencoded");
  }
  const form = new URLSearchParams(Buffer.from(body).toString("utf8"));
  if (form.get("grant_type") !== "client_credentials") {
    return deny(400, "unsupported_grant_type", "grant_type must be client_credentials");
  }
  const { secrets } = clientCredentialsOf(headers[HEADER.authorization], form);
  if (token !== null && !secrets.some((secret) => isSame(secret, token))) {
    const answer = deny(401, "invalid_client", "client_secret must be the agent's token (listen.token_file)");
    return { ...answer, headers: { [HEADER.wwwAuthenticate]: 'Basic realm="weir"' } };
  }
  return {
    status: 200,
    headers: { "cache-control": "no-store" },
    body: { access_token: token ?? ANY_TOKEN, token_type: "bearer", expires_in: TOKEN_SECONDS },
  };
}

/** An error body with OAuth's own code beside it (RFC 6749, section 5.2). */
export function deny(status: number, error: string, message: string): Answer {
  return { status, body: { ...usageRefusal(message), error } };
}

function isSame(given: string, token: string): boolean {
  return timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
