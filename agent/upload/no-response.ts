/** Why a call got no answer, in words that help whoever has to mend it. */
import { messageOf } from "../runtime/agent-error.ts";
import type { HttpProxy } from "./proxy.ts";

/** OpenSSL's words for a chain that ends in no certificate this machine trusts. */
const UNTRUSTED = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_UNTRUSTED",
]);

const OUTDATED = new Set(["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"]);

export interface CalledPlace {
  readonly url: string;
  readonly proxy: HttpProxy | null;
}

/** OpenSSL's words for an answer that is no TLS. */
const NO_TLS = /wrong version number|packet length too long|unknown protocol|record layer failure|http request/i;

export function describeNoResponse(error: unknown, place: CalledPlace): string {
  const code = codeOf(error);
  const words = wordsOf(error);
  if (UNTRUSTED.has(code)) {
    return (
      `the certificate is not trusted (${words}): where its CA is your own, name a file with the CA's certificate ` +
      "in the environment variable NODE_EXTRA_CA_CERTS"
    );
  }
  if (OUTDATED.has(code)) return `the certificate is not valid now (${words}): look at it, and at this machine's clock`;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return `the certificate belongs to another host: ${words}`;
  if (/^(ERR_SSL_|EPROTO)/.test(code) && NO_TLS.test(words + code)) return withoutTls(place);
  if (code.startsWith("HPE_")) return `what answers at ${new URL(place.url).host} does not speak HTTP (${code})`;
  return connecting(code, words, place);
}

function withoutTls({ url }: CalledPlace): string {
  const { host } = new URL(url);
  return `${host} does not speak TLS: say http:// instead of https://, or give the port that takes https`;
}

/** Where a proxy is to be used nobody else is connected to, so what fails to connect is the proxy. */
function connecting(code: string, words: string, { url, proxy }: CalledPlace): string {
  const { host, hostname } = new URL(proxy === null ? url : `http://${proxy.host}`);
  const whom = proxy === null ? host : `the proxy ${host} (environment variable ${proxy.variable})`;
  switch (code) {
    case "ECONNREFUSED":
      return proxy === null
        ? `nothing listens on ${host} (${code})`
        : `${whom} is not there: nothing listens (${code})`;
    case "ENOTFOUND":
      return proxy === null ? `there is no host ${hostname} (${code})` : `${whom} is not there: no such host (${code})`;
    case "EAI_AGAIN":
      return `the address of ${hostname} cannot be looked up: no name server answers (${code})`;
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `there is no way to ${whom} (${code})`;
    case "ETIMEDOUT":
    case "UND_ERR_CONNECT_TIMEOUT":
      return `${whom} did not take the connection in time (${code})`;
    default:
      return proxy === null ? words : `through ${whom}: ${words}`;
  }
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  return "code" in error && typeof error.code === "string" ? error.code : codeOf(error.cause);
}

/** A host with several addresses fails with an error of each and no words of its own. */
function wordsOf(error: unknown): string {
  if (error instanceof AggregateError) return [...new Set(error.errors.map(wordsOf))].join("; ");
  const words = messageOf(error);
  if (words !== "") return words;
  return codeOf(error) || "no answer";
}
