/** Which door a request knocks at. */
import type { IncomingMessage } from "node:http";
import type { BodyCoding } from "../../shared/intake/headers.ts";
import { type BodyLimits, HEADER, USAGE_PATHS } from "../../shared/wire.ts";
import type { Answer } from "./answer.ts";
import { type BodyRead, readBody } from "./body.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { CalculateDoor } from "./calculate-door.ts";
import { refuseIn } from "./refusal.ts";
import type { SolvimonDoor } from "./solvimon-door.ts";
import { solvimonRouteOf } from "./solvimon-route.ts";
import { carriesToken } from "./token.ts";
import type { UsageDoor } from "./usage-door.ts";

/** Answers a request; null when its client has gone. */
export type Handler = (request: IncomingMessage) => Promise<Answer | null>;

export interface RouteOptions {
  readonly usage: UsageDoor;
  readonly solvimon: SolvimonDoor;
  readonly calculate: CalculateDoor;
  readonly status: () => Promise<object>;
  readonly metrics: () => Promise<string>;
  /** The token that everything but /healthz asks for; null where none is configured. */
  readonly token: () => string | null;
  readonly limits: BodyLimits;
  readonly budget: BodyBudget;
}

const USAGE_PREFIXES = USAGE_PATHS.map((path) => path.slice(0, path.indexOf(":")));

export function createRoutes(options: RouteOptions): Handler {
  return async function route(request) {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    if (path === "/healthz" && isRead(request)) return { status: 200, body: { status: "ok" } };
    const token = options.token();
    if (token !== null && !carriesToken(request.headers.authorization, token)) {
      return refuseIn(path, 401, "a valid token is required", { "www-authenticate": "Bearer" });
    }
    if (path === "/status" && isRead(request)) return { status: 200, body: await options.status() };
    if (path === "/metrics" && isRead(request)) {
      return { status: 200, headers: { "content-type": "text/plain; version=0.0.4" }, body: await options.metrics() };
    }
    const take = request.method === "POST" ? doorOf(path, options) : null;
    return take === null ? refuseIn(path, 404, "there is nothing here") : withinBudget(request, path, take, options);
  };
}

/** What a door needs of a request. */
interface Knock {
  header(name: string): string | null;
  body(coding: BodyCoding): Promise<BodyRead>;
}

type Take = (knock: Knock, request: IncomingMessage) => Promise<Answer | null>;

/** The door behind a path; null where there is none. */
function doorOf(path: string, { usage, solvimon, calculate }: RouteOptions): Take | null {
  const meterGlobalId = meterIn(path);
  if (meterGlobalId !== null) return (knock) => usage({ meterGlobalId, ...knock });
  const route = solvimonRouteOf(path);
  if (route?.kind === "ingest") return (knock) => solvimon({ ...route, ...knock });
  if (route?.kind === "calculate")
    return (knock, { url, headers }) => calculate({ target: url ?? path, headers, ...knock });
  return null;
}

async function withinBudget(
  request: IncomingMessage,
  path: string,
  take: Take,
  { budget, limits }: RouteOptions,
): Promise<Answer | null> {
  const declared = Number(request.headers["content-length"] ?? limits.bodyBytesMax);
  const bytes = Math.min(Number.isFinite(declared) ? declared : limits.bodyBytesMax, limits.bodyBytesMax);
  if (!budget.take(bytes)) {
    return refuseIn(path, 429, "too many requests at once", { [HEADER.retryAfter]: "1" });
  }
  try {
    return await take(knockOf(request, limits), request);
  } finally {
    budget.giveBack(bytes);
  }
}

function knockOf(request: IncomingMessage, limits: BodyLimits): Knock {
  return {
    header(name) {
      const value = request.headers[name];
      return (Array.isArray(value) ? value.join(", ") : value) ?? null;
    },
    body: (coding) => readBody(request, coding, limits.bodyBytesMax),
  };
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
