/** `POST /oauth/token`: a key's id and the key for an hour's bearer token (RFC 6749, section 4.4). */
import type { Hono } from "hono";
import { usageRefusal } from "../../shared/intake/usage-answer.ts";
import { HEADER } from "../../shared/wire.ts";
import { TOKEN_SECONDS } from "../accounts/access-token.ts";
import type { WeirContext, WeirEnv } from "../context.ts";
import { readBody } from "../intake/read-body.ts";

/** A grant is three short fields. */
const FORM_BYTES_MAX = 16_384;

export function registerToken(app: Hono<WeirEnv>): void {
  app.post("/oauth/token", grantToken);
}

async function grantToken(c: WeirContext): Promise<Response> {
  const type = (c.req.header(HEADER.contentType) ?? "").split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/x-www-form-urlencoded") return deny(c, 415, "invalid_request", "send a form");
  const read = await readBody(c.req.raw.body, "identity", FORM_BYTES_MAX);
  if (read.kind === "too-large") return deny(c, 413, "invalid_request", `a grant has at most ${FORM_BYTES_MAX} bytes`);
  if (read.kind === "broken") return deny(c, 400, "invalid_request", "the body ended early");
  const form = new URLSearchParams(new TextDecoder().decode(read.bytes));
  if (form.get("grant_type") !== "client_credentials") {
    return deny(c, 400, "unsupported_grant_type", "grant_type must be client_credentials");
  }
  const { keys, clock } = c.get("services");
  const token = await keys.exchange(form.get("client_id") ?? "", form.get("client_secret") ?? "", clock.now());
  if (token === null) return deny(c, 401, "invalid_client", "the client is unknown, revoked or expired");
  c.header("Cache-Control", "no-store");
  return c.json({ access_token: token, token_type: "bearer", expires_in: TOKEN_SECONDS });
}

/** Weir's error body with OAuth's own code beside it. */
function deny(c: WeirContext, status: 400 | 401 | 413 | 415, error: string, message: string): Response {
  return c.json({ ...usageRefusal(message), error }, status);
}
