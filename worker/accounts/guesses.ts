/**
 * Requests whose credentials nobody has, by address: after so many a minute an address is not looked at until the minute
 * is over, but for credentials that were good here before. Where nobody says which address calls nothing is counted.
 */
import type { Limiter } from "../limiter.ts";
import { Remembered } from "../remembered.ts";

/** Addresses refused at a time; with more of them the first are looked at again. */
const REFUSED_MAX = 10_000;
/** Cloudflare says who calls in this header, and lets no client set it; locally miniflare does. */
export const ADDRESS_HEADER = "cf-connecting-ip";

export interface Guesses {
  /** Whole seconds until requests of this address are looked at again; null for at once. */
  refusedFor(address: string | undefined, nowMs: number): number | null;
  /** Counts a request with credentials that nobody has. */
  note(address: string | undefined, nowMs: number): Promise<void>;
}

export function createGuesses(limiter: Limiter): Guesses {
  const refused = new Remembered<number>(REFUSED_MAX);
  return {
    refusedFor(address, nowMs) {
      if (address === undefined) return null;
      const until = refused.get(networkOf(address), nowMs);
      return until === undefined ? null : Math.max(1, Math.ceil((until - nowMs) / 1000));
    },
    async note(address, nowMs) {
      if (address === undefined) return;
      const network = networkOf(address);
      const allowance = await limiter.take(network, nowMs);
      if (allowance.kind === "free" || allowance.allowed) return;
      const until = nowMs + allowance.retryAfterSeconds * 1000;
      refused.set(network, until, until);
    },
  };
}

/** Groups of an IPv6 address that name a network: one host may have any address of it. */
const NETWORK_GROUPS = 4;
const ADDRESS_CHARACTERS = 64;

/** An IPv4 address itself, of an IPv6 address its /64. */
export function networkOf(address: string): string {
  const text = address.slice(0, ADDRESS_CHARACTERS);
  if (!text.includes(":") || text.includes(".")) return text;
  const [before = "", after] = text.split("::");
  const head = before === "" ? [] : before.split(":");
  const tail = after === undefined || after === "" ? [] : after.split(":");
  const zeros = after === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  const groups = [...head, ...Array.from({ length: zeros }, () => "0"), ...tail];
  const network = groups.slice(0, NETWORK_GROUPS).map((group) => group.toLowerCase().replace(/^0+(?=.)/, ""));
  return `${network.join(":")}::/64`;
}
