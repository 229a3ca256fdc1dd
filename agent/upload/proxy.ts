/** Which proxy stands between the agent and its destination, as the environment says it to most programs. */
import { AgentError } from "../runtime/agent-error.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface HttpProxy {
  /** The variable that names it. */
  readonly variable: string;
  /** Its host and port, which are no secret as a user and password are. */
  readonly host: string;
}

/** A proxy as people write it, and where it was found; null where there is none. A host and port alone is an http proxy. */
function proxyIn(env: Environment, name: "http_proxy" | "https_proxy"): { variable: string; url: string } | null {
  const variable = env[name] === undefined ? name.toUpperCase() : name;
  const text = env[variable]?.trim() ?? "";
  if (text === "") return null;
  return { variable, url: /^[a-z0-9+.-]+:\/\//i.test(text) ? text : `http://${text}` };
}

/**
 * The URL of a proxy, empty where there is none.
 * @throws AgentError CONFIG for one that is no URL, naming the variable and never its value, which may hold a password.
 */
export function proxyUrl(env: Environment, name: "http_proxy" | "https_proxy"): string {
  const found = proxyIn(env, name);
  if (found === null || isProxy(found.url)) return found?.url ?? "";
  const form = "say http://host:port, a user and password before the host percent-encoded";
  throw new AgentError("CONFIG", `the environment variable ${found.variable} is no proxy's URL: ${form}`);
}

export function noProxyText(env: Environment): string {
  return env["no_proxy"] ?? env["NO_PROXY"] ?? "";
}

/** The proxy that calls to `url` go through; null where they go straight. For messages: undici makes the choice itself. */
export function proxyTo(url: string, env: Environment): HttpProxy | null {
  const { protocol, hostname, port } = new URL(url);
  const found = proxyIn(env, protocol === "https:" ? "https_proxy" : "http_proxy");
  if (found === null || isExempt(hostname, port || (protocol === "https:" ? "443" : "80"), noProxyText(env)))
    return null;
  return { variable: found.variable, host: new URL(found.url).host };
}

/** As undici reads NO_PROXY: hosts, also with a port, also the end of a name behind a dot or an asterisk. */
function isExempt(hostname: string, port: string, noProxy: string): boolean {
  if (noProxy.trim() === "*") return true;
  const entries = noProxy.split(/[,\s]/).filter((entry) => entry !== "");
  return entries.some((entry) => {
    const match = /^(.+):(\d+)$/.exec(entry);
    const [name, only] = match === null ? [entry, null] : [match[1] ?? "", match[2]];
    if (only !== null && only !== port) return false;
    const end = name.replace(/^\*?\./, "").toLowerCase();
    const host = hostname.toLowerCase();
    return host === end || (/^[*.]/.test(name) && host.endsWith(`.${end}`));
  });
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
