/** Which handler a request is for. */
import type { IncomingMessage } from "node:http";
import type { ValidationError } from "../../shared/events/validation-error.ts";
import type { Reason } from "../../shared/intake/dialect.ts";
import type { BodyCoding } from "../../shared/intake/headers.ts";
import { type SolvimonReason, unsupportedVersion } from "../../shared/intake/solvimon-answer.ts";
import { usageAnswerPieces } from "../../shared/intake/usage-answer.ts";
import { type BodyLimits, HEADER, SOLVIMON_VERSION, USAGE_PATHS } from "../../shared/wire.ts";
import type { AgentDialect } from "./agent-dialect.ts";
import type { Answer } from "./answer.ts";
import { readBody, readRaw } from "./body.ts";
import type { BodyBudget, BodyShare } from "./body-budget.ts";
import type { BodyRead } from "./body-read.ts";
import type { CalculateHandler } from "./calculate-handler.ts";
import { createDocuments, oneAtATime } from "./documents.ts";
import type { Gunzip } from "./gunzip.ts";
import type { Ingest, IngestRequest } from "./ingest.ts";
import { RESULTS_KEPT_MAX } from "./outcome.ts";
import { refuseIn } from "./refusal.ts";
import { type SolvimonIngestRoute, solvimonRouteOf } from "./solvimon-route.ts";
import { CHALLENGE, carriesToken, deny, FORM_BYTES_MAX, grantToken } from "./token.ts";
import { type Listener, webPageIn } from "./web-page.ts";

/** Answers a request; null when its client has gone. */
export type Handler = (request: IncomingMessage) => Promise<Answer | null>;

export interface RouteOptions {
  readonly ingest: Ingest;
  /** The dialect of a meter's stream, and of an operation of Solvimon's. */
  readonly usage: (meterGlobalId: string) => AgentDialect<ValidationError>;
  readonly solvimon: (route: SolvimonIngestRoute) => AgentDialect<SolvimonReason>;
  readonly calculate: CalculateHandler;
  readonly status: () => Promise<object>;
  readonly metrics: () => Promise<string>;
  /** The token that everything but /healthz asks for; null where none is configured. */
  readonly token: () => string | null;
  /** Where web pages could reach it; null for a unix socket, where they cannot. */
  readonly listener: Listener | null;
  readonly limits: BodyLimits;
  readonly budget: BodyBudget;
  readonly gunzip: Gunzip;
}

const USAGE_PREFIXES = USAGE_PATHS.map((path) => path.slice(0, path.indexOf(":")));

/** Paths whose handler is remembered; a path names a stream, and any may be asked for. */
const REMEMBERED_MAX = 1000;
const REMEMBERED_LENGTH_MAX = 300;

export function createRoutes(options: RouteOptions): Handler {
  const remembered = new Map<string, PostHandler>();
  const postHandler = (path: string): PostHandler | null => {
    const known = remembered.get(path);
    if (known !== undefined) return known;
    const found = postHandlerOf(path, options);
    if (remembered.size >= REMEMBERED_MAX) remembered.clear();
    if (found !== null && path.length <= REMEMBERED_LENGTH_MAX) remembered.set(path, found);
    return found;
  };
  const document = createDocuments();
  const status = oneAtATime(async () => JSON.stringify(await options.status()));
  const metrics = oneAtATime(options.metrics);
  return async function route(request) {
    const path = pathOf(request.url ?? "/");
    const page = options.listener === null ? null : webPageIn(request, options.listener);
    if (page !== null) return refuseIn(path, 403, page);
    if (path === "/healthz" && isRead(request)) return { status: 200, body: { status: "ok" } };
    const token = options.token();
    if (path === "/oauth/token" && request.method === "POST") return answerGrant(request, token, options);
    if (token !== null && !carriesToken(request.headers, token)) {
      return refuseIn(path, 401, "a valid token is required: send X-API-KEY or Authorization: Bearer", CHALLENGE);
    }
    if (path === "/status" && isRead(request)) return document(path, await status(), "application/json");
    if (path === "/metrics" && isRead(request)) {
      return document(path, await metrics(), "text/plain; version=0.0.4");
    }
    const post = request.method === "POST" ? postHandler(path) : null;
    return post === null ? refuseIn(path, 404, "there is nothing here") : withinBudget(request, post, options);
  };
}

type PostHandler = (ingestRequest: IngestRequest, request: IncomingMessage) => Promise<Answer | null>;

/** The handler of a path; null where there is none. */
function postHandlerOf(path: string, { ingest, usage, solvimon, calculate }: RouteOptions): PostHandler | null {
  const meterGlobalId = meterIn(path);
  if (meterGlobalId !== null) return ingestHandler(ingest, usage(meterGlobalId));
  const route = solvimonRouteOf(path);
  if (route === null) return null;
  if (route.version !== SOLVIMON_VERSION) {
    return async () => ({ status: 400, body: unsupportedVersion(route.version) });
  }
  return route.kind === "calculate"
    ? (ingestRequest, { url, headers }) =>
        calculate({ query: queryOf(url), headers, body: (coding) => ingestRequest.body(coding) })
    : ingestHandler(ingest, solvimon(route));
}

function pathOf(url: string): string {
  const end = url.indexOf("?");
  return end < 0 ? url : url.slice(0, end);
}

function queryOf(url: string | undefined): URLSearchParams {
  const [, query = ""] = /\?([^#]*)/.exec(url ?? "") ?? [];
  return new URLSearchParams(query);
}

async function answerGrant(
  request: IncomingMessage,
  token: string | null,
  { budget }: RouteOptions,
): Promise<Answer | null> {
  const share = budget.share();
  try {
    const read = await readRaw(request, { bytesMax: FORM_BYTES_MAX, share });
    switch (read.kind) {
      case "gone":
        return null;
      case "bytes":
        return grantToken(request.headers, read.bytes, token);
      case "slow":
        return deny(408, "invalid_request", "the body came too slowly");
      case "busy":
        return { ...deny(503, "temporarily_unavailable", "too many requests at once"), headers: RETRY };
      default:
        return deny(413, "invalid_request", `the body has more than ${FORM_BYTES_MAX} bytes`);
    }
  } finally {
    share.end();
  }
}

const RETRY = { [HEADER.retryAfter]: "1" } as const;

function ingestHandler<R extends Reason>(ingest: Ingest, dialect: AgentDialect<R>): PostHandler {
  return async function answerIngest(request) {
    const outcome = await ingest(dialect, request);
    if (outcome.kind === "gone") return null;
    const isLong = outcome.kind === "accepted" && outcome.results.length > RESULTS_KEPT_MAX;
    if (!isLong || !outcome.preferences.representation) return dialect.answer(outcome);
    const { status, headers } = dialect.answer({ ...outcome, results: [] });
    return { status, headers, body: usageAnswerPieces(outcome.results) };
  };
}

/** What a request takes in memory it gives back once its answer is out. */
async function withinBudget(request: IncomingMessage, handle: PostHandler, options: RouteOptions) {
  const share = options.budget.share();
  try {
    const answer = await handle(new HttpIngest(request, options, share), request);
    // Nothing of a refused body is left, and the connection may linger: others have waited for that room.
    if (answer !== null && answer.status < 400) return { ...answer, sent: () => share.end() };
    share.end();
    return answer;
  } catch (error) {
    share.end();
    throw error;
  }
}

// A class, since an object of closures would cost every request more than what they do.
class HttpIngest implements IngestRequest {
  private readonly request: IncomingMessage;
  private readonly options: RouteOptions;
  private readonly share: BodyShare;

  constructor(request: IncomingMessage, options: RouteOptions, share: BodyShare) {
    this.request = request;
    this.options = options;
    this.share = share;
  }

  readonly header = (name: string): string | null => {
    const value = this.request.headers[name];
    return (Array.isArray(value) ? value.join(", ") : value) ?? null;
  };

  body(coding: BodyCoding): Promise<BodyRead> {
    const { limits, gunzip } = this.options;
    return readBody(this.request, coding, { bytesMax: limits.bodyBytesMax, share: this.share }, gunzip);
  }

  turn(): Promise<boolean> {
    return this.share.turn();
  }

  charge(bytes: number): void {
    this.share.charge(bytes);
  }

  free(bytes: number): void {
    this.share.done();
    this.share.give(bytes);
  }
}

function isRead(request: IncomingMessage): boolean {
  return request.method === "GET" || request.method === "HEAD";
}

function meterIn(path: string): string | null {
  for (const prefix of USAGE_PREFIXES) {
    const rest = path.startsWith(prefix) ? path.slice(prefix.length) : "";
    if (rest === "" || rest.includes("/")) continue;
    try {
      return decodeURIComponent(rest);
    } catch {
      return null;
    }
  }
  return null;
}
