/** Sends a fuzzed request as it stands, and says what is wrong with the answer. */
import { type Agent, request as startRequest } from "node:http";
import { gunzipSync } from "node:zlib";
import type { FuzzRequest, Operation } from "./requests.ts";

const ANSWER_MS_MAX = 30_000;

export type Answer =
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers: Record<string, unknown>;
      readonly text: string;
    }
  /** Closed while the body was on its way: what is refused by its head is not read, and the answer may be lost with it. */
  | { readonly kind: "cut off" }
  | { readonly kind: "none"; readonly why: string };

/** What a server may leave unread beneath its answer without a client's noticing. */
const UNREAD_BYTES_MAX = 60_000;

/**
 * @param url where the server listens: an http address, or `unix:` and the path of a socket.
 * @param agent false: on a connection of its own.
 */
export function send(
  url: string,
  request: Omit<FuzzRequest<unknown>, "caller" | "operation">,
  credentials: Readonly<Record<string, string>>,
  agent: Agent | false,
): Promise<Answer> {
  const { method, target, headers, body } = request;
  return new Promise((resolve) => {
    const none = (error: NodeJS.ErrnoException) => {
      const isClosed = error.code === "ECONNRESET" || error.code === "EPIPE";
      // A kept connection may be closed just as it is used again, which says nothing of this request.
      if (isClosed && call.reusedSocket && agent !== false) resolve(send(url, request, credentials, false));
      else if (isClosed && body.length > UNREAD_BYTES_MAX) resolve({ kind: "cut off" });
      else resolve({ kind: "none", why: error.message });
    };
    const all = { ...headers, ...credentials, "content-length": body.length };
    const address = addressOf(url);
    const to = "path" in address ? { socketPath: address.path } : address;
    const where = { ...to, method, path: target, headers: all, agent, timeout: ANSWER_MS_MAX };
    const call = startRequest(where);
    call.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", none);
      response.on("end", () => {
        const text = textOf(Buffer.concat(chunks), response.headers["content-encoding"]);
        resolve({ kind: "answer", status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    call.on("timeout", () => call.destroy(new Error(`no answer within ${ANSWER_MS_MAX} ms`)));
    call.on("error", none);
    call.end(body);
  });
}

/** An answer's text, inflated where it was asked for so. */
export function textOf(bytes: Buffer, coding: string | undefined): string {
  return (coding === "gzip" && bytes.length > 0 ? gunzipSync(bytes) : bytes).toString("utf8");
}

/** What a connection is opened to. */
export function addressOf(url: string): { readonly host: string; readonly port: number } | { readonly path: string } {
  if (url.startsWith("unix:")) return { path: url.slice("unix:".length) };
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}

/** What only a bug, a library or a database says. */
const INTERNALS =
  /D1_|SQLITE|SqliteError|TypeError|RangeError|is not a function|\bat \S+\.[jt]s:\d|node_modules|\bzod\b/;

export interface Secrets {
  /** What no answer to anybody holds. */
  readonly never: readonly string[];
  /** What no answer to this caller holds. */
  readonly notToThisCaller: readonly string[];
}

/** One sentence for each thing that is wrong; empty for a good answer. */
export function wrongWith({ operation, method }: FuzzRequest<unknown>, answer: Answer, secrets: Secrets): string[] {
  if (answer.kind === "cut off") return [];
  if (answer.kind === "none") return [`no answer: ${answer.why}`];
  const { status, headers, text } = answer;
  const isDocumented = method !== operation.method || isNamed(operation, status);
  return [
    ...(status >= 500 && !(isDocumented && (status === 503 || status === 507)) ? [`status ${status}`] : []),
    ...(status < 500 && !isDocumented ? [`status ${status} is not documented`] : []),
    ...(secrets.never.some((secret) => text.includes(secret)) ? ["a secret is in the answer"] : []),
    ...(secrets.notToThisCaller.some((secret) => text.includes(secret))
      ? ["another tenant's data is in the answer"]
      : []),
    ...(INTERNALS.test(text) ? ["the answer speaks of internals"] : []),
    ...(headers["x-request-id"] === undefined && !isBeforeTheWorker(answer) ? ["the answer has no X-REQUEST-ID"] : []),
  ];
}

/** A request line that the server beneath refuses by itself: no Worker ever sees it. */
function isBeforeTheWorker({ status, headers }: Answer & { kind: "answer" }): boolean {
  return (status === 400 || status === 414) && headers["content-type"] === "text/plain";
}

function isNamed({ statuses }: Operation, status: number): boolean {
  return statuses.has(String(status)) || statuses.has(`${Math.floor(status / 100)}XX`);
}
