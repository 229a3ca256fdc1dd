/** `POST /oauth/token`: a key's id and the key for an hour's bearer token (RFC 6749, section 4.4). */
import { clientCredentialsOf } from "../../shared/intake/client-credentials.ts";
import { usageRefusal } from "../../shared/intake/usage-answer.ts";
import { HEADER } from "../../shared/wire.ts";
import { TOKEN_SECONDS, TOKEN_SECRET_ADVICE } from "../accounts/access-token.ts";
import { ADDRESS_HEADER, networkOf } from "../accounts/guesses.ts";
import type { WeirContext } from "../context.ts";
import type { Body, BodyRefusalStatus } from "../http/body.ts";
import { route } from "../http/route.ts";
import { ANSWER_HEADER, answer, REFUSAL } from "../openapi/answers.ts";
import { type JsonSchema, type Members, object, TEXT } from "../openapi/json-schema.ts";

/** A grant is three short fields. */
const FORM_BYTES_MAX = 16_384;
const KEY_ID = "key_4fTz0Qb7Xn2LrWq9Ks1V";

const FORM: Body<URLSearchParams> = {
  required: true,
  anyType: false,
  content: {
    "application/x-www-form-urlencoded": {
      schema: object(
        {
          grant_type: { type: "string", const: "client_credentials" },
        },
        {
          client_id: { ...TEXT, description: "An API key's id; not with the basic scheme." },
          client_secret: { ...TEXT, description: "The key; not with the basic scheme." },
        },
      ),
      example: { grant_type: "client_credentials", client_id: KEY_ID, client_secret: "weir_key_0000" },
    },
  },
  bytesMax: () => FORM_BYTES_MAX,
  parse: (bytes) => ({ kind: "body", body: new URLSearchParams(new TextDecoder().decode(bytes)) }),
  refuse: (c, status, message) => deny(c, status, "invalid_request", message),
};

const NO_SECRET = `no token can be issued here: ${TOKEN_SECRET_ADVICE}`;

const GRANTED = object({
  access_token: TEXT,
  token_type: { type: "string", const: "bearer" },
  expires_in: { type: "integer", description: "Seconds it lasts." },
});
const GRANTED_EXAMPLE = {
  access_token: `weir_token_${KEY_ID}.1793531103551.${"0".repeat(64)}`,
  token_type: "bearer",
  expires_in: TOKEN_SECONDS,
};

function denied(description: string, error: string, message: string, headers: Members = {}): JsonSchema {
  const code: JsonSchema = { type: "string", description: "OAuth's own code (RFC 6749, section 5.2)." };
  return answer(
    description,
    { allOf: [REFUSAL, object({ error: code })] },
    { ...usageRefusal(message), error },
    headers,
  );
}

async function grantToken(c: WeirContext, form: URLSearchParams): Promise<Response> {
  if (form.get("grant_type") !== "client_credentials") {
    return deny(c, 400, "unsupported_grant_type", "grant_type must be client_credentials");
  }
  const { keys, guesses, clock } = c.get("services");
  const { id, secrets } = clientCredentialsOf(c.req.header(HEADER.authorization), form);
  const waitSeconds = await secondsToWait(c, id);
  if (waitSeconds !== null) {
    c.header("Retry-After", String(waitSeconds));
    return deny(c, 429, "temporarily_unavailable", "too many requests for tokens; a token lasts an hour");
  }
  const outcome = await keys.exchange(id, secrets, clock.now());
  if (outcome.kind === "no-secret") return deny(c, 503, "temporarily_unavailable", NO_SECRET);
  if (outcome.kind === "token") {
    c.header("Cache-Control", "no-store");
    return c.json({ access_token: outcome.token, token_type: "bearer", expires_in: TOKEN_SECONDS });
  }
  await guesses.note(c.req.header(ADDRESS_HEADER), clock.now());
  c.header(HEADER.wwwAuthenticate, 'Basic realm="weir"');
  return deny(c, 401, "invalid_client", "the client is unknown, revoked or expired");
}

/** A client's id as it is counted: no longer than one that this edge made. */
const CLIENT_CHARACTERS = 64;

/**
 * Counts the request by its address, then by its client, before the database is asked: guessing is slow whichever of
 * the two an attacker has many of. Null where it may go on.
 */
async function secondsToWait(c: WeirContext, client: string): Promise<number | null> {
  const { tokenLimiter, guesses, clock } = c.get("services");
  const address = c.req.header(ADDRESS_HEADER);
  const refusedSeconds = guesses.refusedFor(address, clock.now());
  if (refusedSeconds !== null) return refusedSeconds;
  const names = [
    ...(address === undefined ? [] : [`address ${networkOf(address)}`]),
    `client ${client.slice(0, CLIENT_CHARACTERS)}`,
  ];
  for (const name of names) {
    const allowance = await tokenLimiter.take(name, clock.now());
    if (allowance.kind === "counted" && !allowance.allowed) return allowance.retryAfterSeconds;
  }
  return null;
}

/** Weir's error body with OAuth's own code beside it. */
function deny(c: WeirContext, status: 401 | 429 | 503 | BodyRefusalStatus, error: string, message: string): Response {
  return c.json({ ...usageRefusal(message), error }, status);
}

export const tokenRoutes = [
  route(
    {
      method: "post",
      path: "/oauth/token",
      permission: [],
      body: FORM,
      id: "grantToken",
      tag: "Keys",
      summary: "Get an hour's bearer token for a key",
      description:
        "The client says who it is in the form, or by HTTP's basic scheme (`client_secret_basic`): its id as user, the key " +
        "as password.",
      answers: {
        200: answer("The token.", GRANTED, GRANTED_EXAMPLE, ANSWER_HEADER.cacheControl),
        400: denied("Another grant, or no form.", "unsupported_grant_type", "grant_type must be client_credentials"),
        401: denied(
          "Key and id do not belong together.",
          "invalid_client",
          "the client is unknown, revoked or expired",
        ),
        503: denied(
          "The Worker has no secret to sign with; keys themselves work all the same.",
          "temporarily_unavailable",
          NO_SECRET,
        ),
        413: denied("The form is too long.", "invalid_request", `the body has more than ${FORM_BYTES_MAX} bytes`),
        415: denied("No form.", "invalid_request", "send application/x-www-form-urlencoded"),
        429: denied(
          "Too many requests from this client or this address.",
          "temporarily_unavailable",
          "too many requests for tokens; a token lasts an hour",
          ANSWER_HEADER.retryAfter,
        ),
      },
    },
    (c, { body }) => grantToken(c, body),
  ),
];
