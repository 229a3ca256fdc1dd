/** The answer to a call that a scripted failure strikes: what that vendor would say with that status. */
import { type Answer, jsonAnswer } from "./answer.ts";
import { isSolvimonPath } from "./route.ts";
import { solvimonError } from "./solvimon-errors.ts";
import { zuoraError } from "./zuora.ts";

export function scriptedAnswer(path: string, status: number): Answer {
  if (status === 204 || status === 304) return { status, headers: {}, body: null };
  if (status < 400) return jsonAnswer(status, { success: true, message: "scripted" });
  // Both vendors say how long to wait; a script leaves it out with "retry-after": null.
  const headers = status === 429 ? { "retry-after": "1" } : {};
  if (isSolvimonPath(path)) return solvimonError(status, `scripted ${status}`, { headers });
  return zuoraError(status, undefined, { headers });
}

/** Lays a failure's headers over an answer's, whatever their case; null takes one away. */
export function withHeaders(answer: Answer, headers: Readonly<Record<string, string | null>> | undefined): Answer {
  if (headers === undefined) return answer;
  const merged = new Map(Object.entries(answer.headers).map(([name, value]) => [name.toLowerCase(), value]));
  for (const [name, value] of Object.entries(headers)) {
    if (value === null) merged.delete(name.toLowerCase());
    else merged.set(name.toLowerCase(), value);
  }
  return { ...answer, headers: Object.fromEntries(merged) };
}
