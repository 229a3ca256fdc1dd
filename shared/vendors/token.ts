/**
 * OAuth tokens of a client (RFC 6749, section 4.4): what an answer to the token call means, and the one token that is
 * kept until it ends.
 */
import { readObject } from "./answer-body.ts";
import type { Answer, Client, TokenReading, TokenRules, VendorResponse } from "./vendor.ts";

/** A token is fetched anew this long before it ends. */
const MARGIN_MS = 60_000;
/** However short a token lives, the calls that waited for it may use it. */
const LIFE_MS_MIN = 1_000;
/** What lasts longer, or does not say how long, is fetched anew all the same: it may have been a slip. */
const LIFE_MS_MAX = 3_600_000;
/** Servers refuse headers beyond 8 to 16 KB; no token comes near. */
const TOKEN_LENGTH_MAX = 7_000;

/**
 * Reads the answer to a token call. No event is ever to blame for it, so that what the call itself would be split or
 * bisected for never comes out of here:
 * 200 with a usable token: that token. 408, 425, 429 and 5xx pass by themselves and keep their status. Every other
 * 4xx (400, 401 and 403 of a wrong client; 404, 431, 451 of a wrong address or what stands before it) is mended by a
 * person alone, as credentials are: 401. Anything else, a 200 without a usable token among it, is no answer: 502.
 */
export function readToken(answer: Answer): TokenReading {
  const { status } = answer;
  if (status === 200) return tokenOf(answer.body) ?? { kind: "none", status: 502 };
  if (status < 400) return { kind: "none", status: 502 };
  const passes = status >= 500 || status === 408 || status === 425 || status === 429;
  return { kind: "none", status: passes ? status : 401 };
}

function tokenOf(body: string | null): TokenReading | null {
  const parsed = readObject(body);
  const value = parsed?.["access_token"];
  // It travels in a header, where a line break would start another and other bytes end the call unsent.
  if (typeof value !== "string" || !/^[\x21-\x7e]+$/.test(value) || value.length > TOKEN_LENGTH_MAX) return null;
  return { kind: "token", value, lifeMs: lifeOf(parsed?.["expires_in"]) };
}

function lifeOf(expiresIn: unknown): number {
  const isText = typeof expiresIn === "string" && expiresIn.trim() !== "";
  const seconds = typeof expiresIn === "number" || isText ? Number(expiresIn) : Number.NaN;
  const lifeMs = Number.isNaN(seconds) ? LIFE_MS_MAX : Math.min(seconds * 1000, LIFE_MS_MAX);
  return Math.max(LIFE_MS_MIN, lifeMs - MARGIN_MS);
}

/** A response, or that the sender gave up waiting. */
type Carried = VendorResponse | { readonly kind: "aborted" };

export interface TokenSend<R> {
  readonly result: R;
  /** False where the call itself never left for want of a token, so that its outcome cannot be unknown. */
  readonly left: boolean;
}

export interface TokenKeeper<R extends Carried> {
  /** Fetches a token unless one is kept. @returns what came in its stead, null where one is there. */
  trouble(ask: Ask<R>): Promise<R | null>;
  /** Sends a call with a token; where that is refused, which may mean that it ended early, once more with a fresh one. */
  send(ask: Ask<R>, call: (headers: Readonly<Record<string, string>>) => Promise<R>): Promise<TokenSend<R>>;
}

/** Carries out the token call. */
type Ask<R> = (request: ReturnType<TokenRules["request"]>) => Promise<R>;

type Held = { readonly kind: "token"; readonly value: string; readonly until: number };
type Fetched<R> = Held | { readonly kind: "none"; readonly result: R };

/** Whether calls that find no token wait for the one of them that fetches it, or each fetches one. */
export type TokenFetch =
  | "shared"
  /** Where a call must not wait for another's promise, as in a Worker. */
  | "each";

/**
 * Keeps one token for all calls.
 * @param tick milliseconds on a clock that does not jump.
 */
export function createTokenKeeper<R extends Carried>(
  rules: TokenRules,
  client: Client,
  tick: () => number,
  fetches: TokenFetch,
): TokenKeeper<R> {
  let held: Held | null = null;
  let fetching: Promise<Fetched<R>> | null = null;

  const fetchToken = async (ask: Ask<R>): Promise<Fetched<R>> => {
    const result = await ask(rules.request(client));
    if (result.kind !== "answer") return { kind: "none", result };
    const read = rules.read(result);
    if (read.kind === "none") return { kind: "none", result: { ...result, status: read.status } };
    held = { kind: "token", value: read.value, until: tick() + read.lifeMs };
    return held;
  };
  const current = async (ask: Ask<R>): Promise<Fetched<R>> => {
    if (held !== null && tick() < held.until) return held;
    if (fetches === "each") return fetchToken(ask);
    fetching ??= fetchToken(ask).finally(() => {
      fetching = null;
    });
    return fetching;
  };
  const attempt: (...by: Parameters<TokenKeeper<R>["send"]>) => Promise<TokenSend<R> & { refused: boolean }> = async (
    ask,
    call,
  ) => {
    const token = await current(ask);
    if (token.kind === "none") return { result: token.result, left: false, refused: false };
    const result = await call(rules.headers(token.value));
    const refused = result.kind === "answer" && result.status === 401;
    // Unless another has come since.
    if (refused && held?.value === token.value) held = null;
    return { result, left: true, refused };
  };

  return {
    async trouble(ask) {
      const token = await current(ask);
      return token.kind === "none" ? token.result : null;
    },
    async send(ask, call) {
      const first = await attempt(ask, call);
      const { result, left } = first.refused ? await attempt(ask, call) : first;
      return { result, left };
    },
  };
}
