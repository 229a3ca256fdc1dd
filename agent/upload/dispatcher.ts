/** The way to the destination: proxies, certificates, connections. */
import { EnvHttpProxyAgent } from "undici";
import { AgentError } from "../runtime/agent-error.ts";
import { watchedPools } from "./connection.ts";

export interface DispatcherOptions {
  readonly timeoutMs: number;
  readonly connections: number;
  /** Where proxies are looked up. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether every call gets a connection of its own. */
  readonly fresh: boolean;
}

/**
 * What the environment says of proxies holds here as for other programs; without it nothing is asked.
 * @throws AgentError CONFIG for a proxy that is no URL, naming the variable and never its value.
 */
export function createDispatcher({ timeoutMs, connections, env, fresh }: DispatcherOptions): EnvHttpProxyAgent {
  // Certificates are verified whatever NODE_TLS_REJECT_UNAUTHORIZED says. One call a connection: a connection whose
  // call got no answer is closed with it, where an HTTP/2 session to a peer that vanished would take the next ones.
  const connect = { timeout: timeoutMs, rejectUnauthorized: true, allowH2: false };
  return new EnvHttpProxyAgent({
    httpProxy: proxyOf(env, "http_proxy"),
    httpsProxy: proxyOf(env, "https_proxy"),
    noProxy: env["no_proxy"] ?? env["NO_PROXY"] ?? "",
    factory: watchedPools(connections, fresh),
    allowH2: false,
    connect,
    requestTls: connect,
    proxyTls: connect,
    // The exchange has a deadline as a whole; undici's own partial ones would only blur it.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}

/** A proxy as people write it: a host and port alone is an http proxy. */
function proxyOf(env: DispatcherOptions["env"], name: string): string {
  const variable = env[name] === undefined ? name.toUpperCase() : name;
  const text = env[variable]?.trim() ?? "";
  if (text === "") return "";
  const url = /^[a-z0-9+.-]+:\/\//i.test(text) ? text : `http://${text}`;
  // Its value may hold a password, so that no message shows it.
  if (!isProxy(url)) {
    const form = "say http://host:port, a user and password before the host percent-encoded";
    throw new AgentError("CONFIG", `the environment variable ${variable} is no proxy's URL: ${form}`);
  }
  return url;
}

function isProxy(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  try {
    decodeURIComponent(username + password);
  } catch {
    // A bare percent sign: what it would be sent as is anybody's guess.
    return false;
  }
  return protocol === "http:" || protocol === "https:" || protocol === "socks5:";
}
