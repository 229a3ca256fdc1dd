/** The way to the destination: proxies, certificates, connections. */
import { EnvHttpProxyAgent } from "undici";
import { watchedPools } from "./connection.ts";
import { noProxyText, proxyUrl } from "./proxy.ts";

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
    httpProxy: proxyUrl(env, "http_proxy"),
    httpsProxy: proxyUrl(env, "https_proxy"),
    noProxy: noProxyText(env),
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
