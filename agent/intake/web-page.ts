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

const OWN_SITES: ReadonlySet<string> = new Set(["none", "same-origin"]);

/** Why a request is taken for a web page's, in words; null for one that is not. */
export function webPageIn(request: IncomingMessage, { host, hosts }: Listener): string | null {
  const { headers, socket } = request;
  if (headers.origin !== undefined) return "requests of web pages (Origin) are not taken";
  const site = headers["sec-fetch-site"];
  // A page of another port of this machine is "same-site". What somebody opens by hand is "none", and what a browser then
  // loads beside it "same-origin": no page comes from here.
  if (site !== undefined && !OWN_SITES.has(String(site))) return "requests of web pages (Sec-Fetch-Site) are not taken";
  // HTTP/1.0 knows no Host, and no browser is that old.
  if (headers.host === undefined) return null;
  // The first alone would be looked at, and who knows which of them a proxy goes by.
  if (hasTwoHosts(request.rawHeaders)) return "a request has one Host";
  // Most of those who are let in write it so.
  if (headers.host.startsWith(PLAIN_LOOPBACK) && /^[0-9]*$/.test(headers.host.slice(PLAIN_LOOPBACK.length)))
    return null;
  const name = nameOf(headers.host);
  const known = [host, ...hosts, ...(socket.localAddress === undefined ? [] : [socket.localAddress])].map(nameOf);
  if (isLoopback(name) || known.includes(name)) return null;
  return `Host ${JSON.stringify(headers.host.slice(0, 100))} is not this agent's; add it to [listen] hosts if it is`;
}

const PLAIN_LOOPBACK = "127.0.0.1:";

/** Looked for in the raw list: all headers told apart would be made for this one. */
function hasTwoHosts(rawHeaders: readonly string[]): boolean {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    if (name.length === 4 && name.toLowerCase() === "host") hosts++;
  }
  return hosts > 1;
}

/** A host without its port and brackets, in lower case; an IPv4 address that came by IPv6 as itself. */
function nameOf(host: string): string {
  const name = /^\[([^\]]*)\](:\d+)?$/.exec(host)?.[1] ?? (/^[^:]*:\d+$/.test(host) ? host.replace(/:\d+$/, "") : host);
  return name
    .toLowerCase()
    .replace(/^::ffff:(?=\d+\.)/, "")
    .replace(/\.$/, "");
}
