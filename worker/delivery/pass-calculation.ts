/** Hands a calculation to the upstream that calculates, where Weir has no catalog to answer by, and its answer back. */
import { UPSTREAM_NAMES, UPSTREAMS } from "../../shared/vendors/vendors.ts";
import { HEADER } from "../../shared/wire.ts";
import type { Directory } from "../destinations/directory.ts";
import { exchange, type Fetch } from "./exchange.ts";

export interface PassedCall {
  readonly tenant: string;
  readonly now: number;
  readonly timeoutMs: number;
  readonly body: Uint8Array;
  /** With its question mark; empty for none. */
  readonly query: string;
  readonly platformId: string | null;
}

export type PassOutcome =
  | { readonly kind: "answer"; readonly status: number; readonly contentType: string; readonly text: string }
  /** No answer in time, or none at all. */
  | { readonly kind: "no-response"; readonly cause: unknown };

/** Goes to the tenant's own account. @returns null where it has none that calculates. */
export async function passCalculation(
  fetch: Fetch,
  directory: Directory,
  { tenant, now, timeoutMs, body, query, platformId }: PassedCall,
): Promise<PassOutcome | null> {
  const name = UPSTREAM_NAMES.find((of) => UPSTREAMS[of].calculatePath !== null);
  const destination = name === undefined ? null : await directory.destinationOf(tenant, name, now);
  if (name === undefined || destination === null) return null;
  const { calculatePath, credentials, answerBytesMax } = UPSTREAMS[name];
  const { baseUrl, apiKey } = destination.settings;
  if (credentials.kind !== "key") return null;
  const headers = {
    ...credentials.headers(apiKey),
    [HEADER.contentType]: "application/json",
    ...(platformId === null ? {} : { [HEADER.platformId]: platformId }),
  };
  const url = `${baseUrl}${calculatePath}${query}`;
  const answer = await exchange({ fetch, bytesMax: answerBytesMax }, url, { method: "POST", headers, body }, timeoutMs);
  if (answer.kind === "no-response") return { kind: "no-response", cause: answer.message };
  if (answer.body === null) return { kind: "no-response", cause: `the answer has more than ${answerBytesMax} bytes` };
  return {
    kind: "answer",
    status: answer.status,
    contentType: answer.contentType ?? "application/json",
    text: answer.body,
  };
}
