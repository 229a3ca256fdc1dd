/**
 * Bearer tokens of `POST /oauth/token`. A token carries its key's id and its end, signed with a secret of the Worker that
 * the database never holds: whoever reads the database signs none. Nothing is stored for it; revoking the key ends it.
 */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { utf8ToBytes } from "@noble/hashes/utils.js";
import { toHex } from "../../shared/identity.ts";

/** Seconds a token lasts, as Zuora's does. */
export const TOKEN_SECONDS = 3600;

/** Whoever chooses `openssl rand -base64 32` has 44. */
const SECRET_LENGTH_MIN = 16;

const SHAPE = /^weir_token_([A-Za-z0-9_-]{1,128})\.(\d{1,15})\.([0-9a-f]{64})$/;

export interface TokenClaims {
  readonly keyId: string;
  /** Milliseconds since 1970. */
  readonly endsAt: number;
}

export interface TokenSigner {
  issue(keyId: string, nowMs: number): string;
  /** Whether one of the Worker's secrets signed the token and it has not ended. */
  isGenuine(token: string, claims: TokenClaims, nowMs: number): boolean;
}

/** How to set the secret, for whoever is told that it is missing. */
export const TOKEN_SECRET_ADVICE =
  "set the secret TOKEN_SECRET (openssl rand -base64 32 | npx wrangler secret put TOKEN_SECRET)";

/**
 * @param secret signs. @param previous is still accepted, while one is rotated; empty for none.
 * @returns null where the secret is absent or too short to be one: there are no tokens then.
 */
export function createTokenSigner(secret: string, previous: string): TokenSigner | null {
  const current = secret.trim();
  if (current.length < SECRET_LENGTH_MIN) return null;
  const accepted = [current, previous.trim()].filter(({ length }) => length >= SECRET_LENGTH_MIN);
  return {
    issue: (keyId, nowMs) => signed({ keyId, endsAt: nowMs + TOKEN_SECONDS * 1000 }, current),
    isGenuine: (token, claims, nowMs) =>
      nowMs < claims.endsAt &&
      // None is issued for longer, whoever signed it.
      claims.endsAt <= nowMs + TOKEN_SECONDS * 1000 &&
      accepted.some((one) => equalInConstantTime(token, signed(claims, one))),
  };
}

/** The claims a credential makes, if it has the shape of a token; nothing is proven yet. */
export function readToken(credential: string): TokenClaims | null {
  const match = SHAPE.exec(credential);
  return match?.[1] === undefined ? null : { keyId: match[1], endsAt: Number(match[2]) };
}

function signed({ keyId, endsAt }: TokenClaims, secret: string): string {
  const signature = hmac(sha256, utf8ToBytes(secret), utf8ToBytes(`weir token\n${keyId}\n${endsAt}`));
  return `weir_token_${keyId}.${endsAt}.${toHex(signature)}`;
}

function equalInConstantTime(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
