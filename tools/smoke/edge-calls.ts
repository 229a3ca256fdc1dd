/** Calls of the smoke test to the edge under test. */
import { z } from "zod";
import { messageOf } from "../processes/command-line.ts";

const TIMEOUT_MS = 15_000;
const BODY_SHOWN = 300;

export interface Answer {
  readonly status: number;
  /** Parsed JSON; null where it is none. */
  readonly body: unknown;
  readonly milliseconds: number;
}

export interface EdgeCalls {
  get(path: string): Promise<Answer>;
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
}

/** @throws Error from each call that got no answer, in words for a person. */
export function edgeCalls(url: string, key: string): EdgeCalls {
  const call = async (path: string, init: RequestInit): Promise<Answer> => {
    const startedMs = performance.now();
    const headers = { "x-api-key": key, "content-type": "application/json", ...init.headers };
    try {
      // A redirect would take the key elsewhere.
      const answer = await fetch(url + path, {
        ...init,
        headers,
        redirect: "manual",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const text = await answer.text();
      return { status: answer.status, body: parsed(text), milliseconds: Math.round(performance.now() - startedMs) };
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      throw new Error(`no answer from ${url}: ${messageOf(cause)}`, { cause: error });
    }
  };
  return {
    get: (path) => call(path, { method: "GET" }),
    post: (path, body, headers = {}) => call(path, { method: "POST", body: JSON.stringify(body), headers }),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const messageSchema = z.object({ message: z.string() });

/** An answer that was not the one wanted, in a line. */
export function answered({ status, body }: Answer): string {
  const said = messageSchema.safeParse(body);
  const text = said.success ? said.data.message : body === null ? "no JSON" : JSON.stringify(body);
  return `answered ${status}: ${text.slice(0, BODY_SHOWN)}`;
}

/** The body in the shape that is needed. @throws Error saying what was answered instead. */
export function expectBody<T>(answer: Answer, status: number, schema: z.ZodType<T>): T {
  const parsedBody = schema.safeParse(answer.body);
  if (answer.status === status && parsedBody.success) return parsedBody.data;
  throw new Error(answered(answer));
}
