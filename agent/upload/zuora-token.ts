/** Zuora's bearer tokens: one is fetched for all calls that wait for it, and kept until it ends. */
import { z } from "zod";
import type { Clock } from "../runtime/clock.ts";
import type { ExchangeResult, Transport } from "./transport.ts";

export interface ZuoraClient {
  readonly id: string;
  /** Never logged. */
  readonly secret: string;
}

export type TokenOutcome =
  | { readonly kind: "token"; readonly token: string }
  /** In the form of an answer to the call that needed it; refused credentials are a 401. */
  | { readonly kind: "none"; readonly result: ExchangeResult };

export interface ZuoraTokens {
  current(signal: AbortSignal): Promise<TokenOutcome>;
  /** Forgets a token that was refused, unless another has come since. */
  drop(token: string | null): void;
}

const tokenSchema = z.looseObject({ access_token: z.string().min(1), expires_in: z.coerce.number().catch(3600) });

/** A token is fetched anew this long before it ends. */
const MARGIN_MS = 60_000;

export function createZuoraTokens(transport: Transport, client: ZuoraClient, clock: Clock): ZuoraTokens {
  let held: { readonly token: string; readonly until: number } | null = null;
  let fetching: Promise<TokenOutcome> | null = null;

  const fetchToken = async (signal: AbortSignal): Promise<TokenOutcome> => {
    const form = new URLSearchParams({
      client_id: client.id,
      client_secret: client.secret,
      grant_type: "client_credentials",
    });
    const result = await transport.send(
      {
        method: "POST",
        path: "/oauth/token",
        headers: {},
        body: Buffer.from(form.toString()),
        coding: "identity",
        contentType: "application/x-www-form-urlencoded",
      },
      signal,
    );
    if (result.kind !== "answer") return { kind: "none", result };
    const read = result.status === 200 ? readToken(result.body) : null;
    if (read === null) return { kind: "none", result: { ...result, status: statusOf(result.status) } };
    const lifeMs = Math.max(1_000, read.expires_in * 1000 - MARGIN_MS);
    held = { token: read.access_token, until: clock.tick() + lifeMs };
    return { kind: "token", token: read.access_token };
  };

  return {
    current(signal) {
      if (held !== null && clock.tick() < held.until) return Promise.resolve({ kind: "token", token: held.token });
      fetching ??= fetchToken(signal).finally(() => {
        fetching = null;
      });
      return fetching;
    },
    drop(token) {
      if (held?.token === token) held = null;
    },
  };
}

/** Wrong credentials come as 400, 401 or 403; none of them may be taken for a fault of an event. */
function statusOf(status: number): number {
  if (status < 400) return 502;
  return status < 500 && status !== 408 && status !== 425 && status !== 429 ? 401 : status;
}

function readToken(body: string | null): z.infer<typeof tokenSchema> | null {
  try {
    return tokenSchema.parse(JSON.parse(body ?? ""));
  } catch {
    return null;
  }
}
