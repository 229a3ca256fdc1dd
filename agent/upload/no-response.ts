/** Why a call got no answer, in words that help whoever has to mend it. */
import { messageOf } from "../runtime/agent-error.ts";

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

export function describeNoResponse(error: unknown): string {
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
  return words;
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
