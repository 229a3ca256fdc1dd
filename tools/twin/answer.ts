/** What the twin says to one call; the server alone turns it into bytes on a socket. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON text; null for an answer without a body. */
  readonly body: string | null;
}

export function jsonAnswer(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return textAnswer(status, JSON.stringify(body), headers);
}

/** For JSON that must keep its source text, such as numbers that a double cannot hold. */
export function textAnswer(status: number, body: string, headers: Record<string, string> = {}): Answer {
  return { status, headers: { "content-type": "application/json", ...headers }, body };
}

/** How a dialect words an error; `where` names the event and field, as far as one is to blame. */
export interface ErrorWording {
  readonly code?: string | number;
  readonly index?: number;
  readonly field?: string;
  readonly headers?: Record<string, string>;
}
