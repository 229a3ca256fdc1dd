/** Hands a calculation to Solvimon where Weir has no catalog to answer by, and its answer back. */
import { SOLVIMON_VERSION } from "../../shared/wire.ts";
import type { Settings } from "../env.ts";
import type { Fetch } from "./exchange.ts";

export interface PassedCall {
  readonly body: Uint8Array;
  /** With its question mark; empty for none. */
  readonly query: string;
  readonly platformId: string | null;
}

export type PassOutcome =
  | { readonly kind: "answer"; readonly status: number; readonly contentType: string; readonly text: string }
  /** No answer in time, or none at all. */
  | { readonly kind: "no-response"; readonly cause: unknown };

/** @returns null where no Solvimon is set. */
export async function passCalculation(
  fetch: Fetch,
  { solvimon, upstreamTimeoutMs }: Settings,
  { body, query, platformId }: PassedCall,
): Promise<PassOutcome | null> {
  if (solvimon.baseUrl === null) return null;
  const headers = {
    "x-api-key": solvimon.apiKey,
    "content-type": "application/json",
    ...(platformId === null ? {} : { "x-platform-id": platformId }),
  };
  const url = `${solvimon.baseUrl}/v${SOLVIMON_VERSION}/events/calculate${query}`;
  try {
    const signal = AbortSignal.timeout(upstreamTimeoutMs);
    const answer = await fetch(url, { method: "POST", headers, body, redirect: "manual", signal });
    const contentType = answer.headers.get("content-type") ?? "application/json";
    return { kind: "answer", status: answer.status, contentType, text: await answer.text() };
  } catch (cause) {
    // fetch tells a cut connection, a refused one and a time-out by exceptions.
    return { kind: "no-response", cause };
  }
}
