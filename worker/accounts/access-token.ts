/**
 * Bearer tokens of `POST /oauth/token`. A token carries its key's id and its end, signed with the key's own
 * stored hash: nothing is stored for it, and revoking the key ends it with the key.
 */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { utf8ToBytes } from "@noble/hashes/utils.js";
import { toHex } from "../../shared/identity.ts";

/** Seconds a token lasts, as Zuora's does. */
export const TOKEN_SECONDS = 3600;

const SHAPE = /^weir_token_([A-Za-z0-9_-]{1,128})\.(\d{1,15})\.([0-9a-f]{64})$/;

export interface TokenClaims {
  readonly keyId: string;
  /** Milliseconds since 1970. */
  readonly endsAt: number;
}

export function issueToken(claims: TokenClaims, keyHash: string): string {
  return `weir_token_${claims.keyId}.${claims.endsAt}.${signature(claims, keyHash)}`;
}

/** The claims a credential makes, if it has the shape of a token; nothing is proven yet. */
export function readToken(credential: string): TokenClaims | null {
  const match = SHAPE.exec(credential);
  return match?.[1] === undefined ? null : { keyId: match[1], endsAt: Number(match[2]) };
}

/** Whether the key with this hash signed the token and it has not ended. */
export function isGenuine(token: string, claims: TokenClaims, keyHash: string, nowMs: number): boolean {
  return nowMs < claims.endsAt && equalInConstantTime(token, issueToken(claims, keyHash));
}

function signature({ keyId, endsAt }: TokenClaims, keyHash: string): string {
  return toHex(hmac(sha256, utf8ToBytes(keyHash), utf8ToBytes(`${keyId}.${endsAt}`)));
}

function equalInConstantTime(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
