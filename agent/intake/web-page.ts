/**
 * Keeps web pages out: a page in a browser on this machine can send requests to loopback, and by a name that it lets
 * resolve to this machine it can even read the answers. Programs send none of what a browser cannot leave out.
 */
import type { IncomingMessage } from "node:http";
import { isLoopback } from "../config/combinations.ts";

export interface Listener {
  readonly host: string;
  /** Further names by which it is reached. */
  readonly hosts: readonly string[];
}

/** Why a request is taken for a web page's, in words; null for one that is not. */
export function webPageIn(request: IncomingMessage, { host, hosts }: Listener): string | null {
  const { headers, socket } = request;
  if (headers.origin !== undefined) return "requests of web pages (Origin) are not taken";
  if (headers["sec-fetch-site"] === "cross-site") return "requests of web pages (Sec-Fetch-Site) are not taken";
  // HTTP/1.0 knows no Host, and no browser is that old.
  if (headers.host === undefined) return null;
  const name = nameOf(headers.host);
  const known = [host, socket.localAddress ?? "", ...hosts].map(nameOf);
  if (isLoopback(name) || known.includes(name)) return null;
  return `Host ${JSON.stringify(headers.host.slice(0, 100))} is not this agent's; add it to [listen] hosts if it is`;
}

/** A host without its port and brackets, in lower case; an IPv4 address that came by IPv6 as itself. */
function nameOf(host: string): string {
  const name = /^\[([^\]]*)\](:\d+)?$/.exec(host)?.[1] ?? (/^[^:]*:\d+$/.test(host) ? host.replace(/:\d+$/, "") : host);
  return name
    .toLowerCase()
    .replace(/^::ffff:(?=\d+\.)/, "")
    .replace(/\.$/, "");
}
