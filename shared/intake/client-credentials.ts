/** Who asks for a token: an OAuth client by its form, or by HTTP's basic scheme (RFC 6749, section 2.3.1). */

export interface ClientCredentials {
  readonly id: string;
  /** What the secret may be: by the basic scheme as RFC 6749 encodes it, or as it stands, since many clients encode nothing. */
  readonly secrets: readonly string[];
}

/** @param authorization the request's header; where it is of the basic scheme the form's client is not looked at. */
export function clientCredentialsOf(
  authorization: string | null | undefined,
  form: { get(name: string): string | null },
): ClientCredentials {
  const encoded = /^Basic +([A-Za-z0-9+/_-]+={0,2}) *$/i.exec(authorization ?? "")?.[1];
  const basic = encoded === undefined ? null : decoded(encoded);
  if (basic === null) return { id: form.get("client_id") ?? "", secrets: [form.get("client_secret") ?? ""] };
  const colon = basic.indexOf(":");
  const [id, secret] = colon < 0 ? [basic, ""] : [basic.slice(0, colon), basic.slice(colon + 1)];
  return { id: unescaped(id), secrets: [...new Set([unescaped(secret), secret])] };
}

function decoded(base64: string): string | null {
  try {
    const binary = atob(base64.replaceAll("-", "+").replaceAll("_", "/"));
    return new TextDecoder().decode(Uint8Array.from(binary, (character) => character.charCodeAt(0)));
  } catch {
    return null;
  }
}

/** Of application/x-www-form-urlencoded; a text that is none stays as it is. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}
