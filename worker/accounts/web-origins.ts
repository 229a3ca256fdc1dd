/** The web origins that a key may be used from, as browsers write them in `Origin` (RFC 6454, section 6.2). */
import { ANY } from "../tenants/bounds.ts";

/** Whether a text is `scheme://host[:port]` as a browser would send it, or `*` for any. */
export function isOriginEntry(text: string): boolean {
  if (text === ANY) return true;
  if (!URL.canParse(text)) return false;
  const { origin, protocol, hostname } = new URL(text);
  return origin === text && (protocol === "https:" || protocol === "http:") && !hostname.includes("*");
}

/** The value of Access-Control-Allow-Origin for a page of an origin; null where the key may not be used from it. */
export function allowedOrigin(origins: readonly string[] | null, origin: string): string | null {
  if (origins === null) return null;
  if (origins.includes(ANY)) return ANY;
  return origins.includes(origin) ? origin : null;
}
