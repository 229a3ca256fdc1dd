/** Which door a request knocks at. */
import type { IncomingMessage } from "node:http";
import { usageRefusal } from "../../shared/intake/usage-answer.ts";
import { type BodyLimits, HEADER, USAGE_PATHS } from "../../shared/wire.ts";
import type { Answer } from "./answer.ts";
import { readBody } from "./body.ts";
import type { BodyBudget } from "./body-budget.ts";
import { carriesToken } from "./token.ts";
import type { UsageDoor, UsageRequest } from "./usage-door.ts";

/** Answers a request; null when its client has gone. */
export type Handler = (request: IncomingMessage) => Promise<Answer | null>;

export interface RouteOptions {
  readonly usage: UsageDoor;
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
      return {
        status: 401,
        headers: { "www-authenticate": "Bearer" },
        body: usageRefusal("a valid token is required"),
      };
    }
    if (path === "/status" && isRead(request)) return { status: 200, body: await options.status() };
    if (path === "/metrics" && isRead(request)) {
      return { status: 200, headers: { "content-type": "text/plain; version=0.0.4" }, body: await options.metrics() };
    }
    const meter = request.method === "POST" ? meterIn(path) : null;
    if (meter === null) return { status: 404, body: usageRefusal("there is nothing here") };
    return takeUsage(request, meter, options);
  };
}

async function takeUsage(request: IncomingMessage, meter: string, options: RouteOptions): Promise<Answer | null> {
  const { budget, limits } = options;
  const declared = Number(request.headers["content-length"] ?? limits.bodyBytesMax);
  const bytes = Math.min(Number.isFinite(declared) ? declared : limits.bodyBytesMax, limits.bodyBytesMax);
  if (!budget.take(bytes)) {
    const body = usageRefusal("too many requests at once");
    return { status: 429, headers: { [HEADER.retryAfter]: "1" }, body };
  }
  try {
    return await options.usage(usageRequestOf(request, meter, limits));
  } finally {
    budget.giveBack(bytes);
  }
}

function usageRequestOf(request: IncomingMessage, meterGlobalId: string, limits: BodyLimits): UsageRequest {
  return {
    meterGlobalId,
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
