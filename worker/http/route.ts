/**
 * A route says itself once: who may call it, what it accepts and answers stand beside its handler, and both the
 * app's route and its part of the OpenAPI document are made of that.
 *
 * Refusals come in one order, whatever the route: 401, 403, 429, then 404 for what the path names, what a precondition
 * says (428, 412), 415 and 413 for the body's form and size, 400 for what is wrong with parameters and body.
 */
import type { Hono, MiddlewareHandler } from "hono";
import { validationError } from "../../shared/events/validation-error.ts";
import type { Permission } from "../accounts/principal.ts";
import { refuse, type WeirContext, type WeirEnv } from "../context.ts";
import { requirePermission } from "../middleware/authenticate.ts";
import { rateLimit } from "../middleware/rate-limit.ts";
import { findTenant, nameTenant, TENANT_PARAMETER } from "../middleware/tenant.ts";
import { guardOrigin, preflight } from "../middleware/web-origin.ts";
import type { RefusalStatus } from "../openapi/answers.ts";
import { CONTENT_ENCODING, PLATFORM_ID } from "../openapi/headers.ts";
import type { JsonSchema, Members } from "../openapi/json-schema.ts";
import { NO_STORE_HEADERS, type OperationWords, operation, RATE_HEADERS } from "../openapi/operation.ts";
import { type Body, type BodyOutcome, withBytes } from "./body.ts";
import { type AllRead, describeParameter, type Parameters, readParameters, text, type Values } from "./parameters.ts";

/** What a path names, or that there is no such thing. */
export type FindOutcome<T> =
  | { readonly kind: "found"; readonly found: T }
  | { readonly kind: "missing"; readonly message: string }
  /** Not to be said yet: 503. */
  | { readonly kind: "unsettled"; readonly message: string; readonly retryAfterSeconds: number };

/** Why a request's precondition does not hold. */
export interface Refusal {
  readonly status: RefusalStatus;
  readonly message: string;
}

export interface RouteSpec<Path extends Parameters, Query extends Parameters, T, Found> extends OperationWords {
  readonly method: "get" | "post" | "put" | "delete";
  /** As the router reads it; each `:name` is a key of `params`. */
  readonly path: string;
  /**
   * One of these permissions is enough; an empty list asks for no key. Below `/admin` an operator may also name
   * another tenant with `?tenant=`.
   */
  readonly permission: readonly Permission[];
  readonly params?: Path;
  readonly query?: Query;
  /** Whether query parameters that are not described are refused; below `/admin` they are unless this says no. */
  readonly strictQuery?: boolean;
  /** Header parameters, as the document has them, beside those that follow from the rest. */
  readonly headers?: readonly JsonSchema[];
  readonly find?: (c: WeirContext, path: Values<Path>) => Promise<FindOutcome<Found>>;
  /** Looks, before the body is read, whether the request may have any effect at all; null where it may. */
  readonly precondition?: (c: WeirContext) => Promise<Refusal | null>;
  readonly body?: Body<T>;
  /** The media types of a body that the handler reads itself, as ingest does: it refuses with 415, 413 and 400 too. */
  readonly ownBody?: Members;
  /** Whether web pages may call it, with a key that lists their origin. */
  readonly fromPages?: boolean;
  /** Statuses that the handler itself refuses with, beside those that follow from the rest. */
  readonly refusals?: readonly RefusalStatus[];
}

/** What a handler gets, parsed and checked. */
export interface RouteRequest<Path extends Parameters, Query extends Parameters, T, Found> {
  readonly path: Values<Path>;
  readonly query: Values<Query>;
  readonly body: T;
  readonly found: Found;
}

/** A route as the app mounts it and the document describes it. */
export interface Route {
  readonly method: string;
  readonly path: string;
  readonly handlers: readonly MiddlewareHandler<WeirEnv>[];
  readonly operation: JsonSchema;
  /** Whether it answers a preflight too. */
  readonly fromPages: boolean;
}

type None = Readonly<Record<never, never>>;

/**
 * @example
 * route({ method: "get", path: "/admin/things", permission: ADMIN, query: { limit: LIMIT }, …, answers: { 200: … } },
 *   async (c, { query }) => c.json(await c.get("services").things.list(c.get("tenant"), query.limit)));
 */
export function route<
  Path extends Parameters = None,
  Query extends Parameters = None,
  T = undefined,
  Found = undefined,
>(
  spec: RouteSpec<Path, Query, T, Found>,
  handler: (c: WeirContext, request: RouteRequest<Path, Query, T, Found>) => Response | Promise<Response>,
): Route {
  const { method, path } = spec;
  const named = [...path.matchAll(/:(\w+)/g)].map(([, name]) => name);
  if (named.join() !== Object.keys(spec.params ?? {}).join())
    throw new Error(`${path}: its parameters are not described`);
  const { fromPages = false } = spec;
  return { method, path, fromPages, handlers: [...guardsOf(spec), answerBy(spec, handler)], operation: describe(spec) };
}

/** The permission that each admin's route asks for. */
export const ADMIN: readonly Permission[] = ["WEIR.ADMIN", "WEIR.OPERATOR"];

/** That of what concerns all tenants. */
export const OPERATOR: readonly Permission[] = ["WEIR.OPERATOR"];

export function mount(app: Hono<WeirEnv>, routes: readonly Route[]): void {
  for (const { method, path, handlers, fromPages } of routes) {
    app.on(method.toUpperCase(), [path], ...handlers);
    if (fromPages) app.options(path, preflight);
  }
}

type Described = Pick<
  RouteSpec<Parameters, Parameters, unknown, unknown>,
  | "path"
  | "permission"
  | "params"
  | "query"
  | "strictQuery"
  | "headers"
  | "ownBody"
  | "fromPages"
  | "refusals"
  | keyof OperationWords
> & { readonly body?: Body<unknown>; readonly find?: unknown };

const isAdmins = ({ path }: Described): boolean => path.startsWith("/admin/");
const isStrict = (spec: Described): boolean => spec.strictQuery ?? isAdmins(spec);

function guardsOf(spec: Described): MiddlewareHandler<WeirEnv>[] {
  if (spec.permission.length === 0) return [];
  const required = requirePermission(...spec.permission);
  const pages = guardOrigin(spec.fromPages ?? false);
  return isAdmins(spec) ? [required, pages, nameTenant, rateLimit, findTenant] : [required, pages, rateLimit];
}

function answerBy<Path extends Parameters, Query extends Parameters, T, Found>(
  spec: RouteSpec<Path, Query, T, Found>,
  handler: (c: WeirContext, request: RouteRequest<Path, Query, T, Found>) => Response | Promise<Response>,
): MiddlewareHandler<WeirEnv> {
  // What a route leaves out of its description its handler's types leave out as well.
  const params = spec.params ?? ({} as Path);
  const described = spec.query ?? ({} as Query);
  return async function answer(c) {
    const path = readParameters(params, (name) => c.req.param(name));
    if (path.kind === "refused") return refuseParameters(c, path);
    const finding = await spec.find?.(c, path.values);
    if (finding?.kind === "missing") return refuse(c, 404, finding.message);
    if (finding?.kind === "unsettled") {
      c.header("Retry-After", String(finding.retryAfterSeconds));
      return refuse(c, 503, finding.message);
    }
    const unmet = (await spec.precondition?.(c)) ?? null;
    if (unmet !== null) return refuse(c, unmet.status, unmet.message);
    const proceed = async (parse: () => BodyOutcome<T>): Promise<Response> => {
      const query = readQuery(c, described, spec);
      if (query.kind === "refused") return refuseParameters(c, query);
      const body = parse();
      if (body.kind === "refused") return (spec.body?.refuse ?? refuse)(c, 400, body.message, body.reasons);
      return handler(c, {
        path: path.values,
        query: query.values,
        body: body.body,
        found: finding?.found as Found,
      });
    };
    const { body } = spec;
    if (body === undefined) return proceed(() => ({ kind: "body", body: undefined as T }));
    return withBytes(c, body, (bytes, mediaType) => proceed(() => body.parse(bytes, mediaType)));
  };
}

function readQuery<Query extends Parameters>(c: WeirContext, query: Query, spec: Described): AllRead<Query> {
  const known = [...Object.keys(query), ...(isAdmins(spec) ? [TENANT_PARAMETER] : [])];
  const stranger = isStrict(spec) ? Object.keys(c.req.query()).find((name) => !known.includes(name)) : undefined;
  if (stranger !== undefined) {
    const message = `${JSON.stringify(stranger.slice(0, 80))} is not a parameter here; known are ${known.join(", ")}`;
    return { kind: "refused", errors: [validationError(message, { field: stranger.slice(0, 80) })] };
  }
  // Of two values one would be dropped, and a filter that is not applied shows or changes more than was asked for.
  const repeated = known.find((name) => (c.req.queries(name)?.length ?? 0) > 1);
  if (repeated === undefined) return readParameters(query, (name) => c.req.query(name));
  return { kind: "refused", errors: [validationError(`${repeated} is given more than once`, { field: repeated })] };
}

function refuseParameters(c: WeirContext, { errors, code }: Extract<AllRead<None>, { kind: "refused" }>): Response {
  return refuse(c, 400, errors[0]?.message ?? "", errors, code);
}

const TENANT = text("Whose data; another tenant's only with WEIR.OPERATOR.");

function describe(spec: Described): JsonSchema {
  const query = { ...spec.query, ...(isAdmins(spec) ? { [TENANT_PARAMETER]: TENANT } : {}) };
  const { permission } = spec;
  const required = spec.body?.required ?? true;
  const content = spec.body?.content ?? spec.ownBody;
  return operation(spec, {
    permissions: permission,
    parameters: [
      ...Object.entries(spec.params ?? {}).map(([name, one]) => describeParameter("path", name, one)),
      ...(content === undefined ? [] : [CONTENT_ENCODING]),
      ...(spec.headers ?? []),
      ...Object.entries(query).map(([name, one]) => describeParameter("query", name, one)),
      ...(permission.length === 0 ? [] : [PLATFORM_ID]),
    ],
    body: content === undefined ? undefined : { required, content },
    refusals: refusalsOf(spec),
    answerHeaders: { ...(isAdmins(spec) ? NO_STORE_HEADERS : {}), ...(permission.length === 0 ? {} : RATE_HEADERS) },
  });
}

function refusalsOf(spec: Described): RefusalStatus[] {
  const { path, permission, find, query, body, ownBody, refusals = [] } = spec;
  return [
    ...(permission.length === 0 ? [] : ([401, 403, 429] as const)),
    ...(find === undefined && !path.startsWith("/admin/") ? [] : ([404] as const)),
    ...((body ?? ownBody) === undefined ? [] : ([415, 413, 400] as const)),
    ...(query === undefined && !isStrict(spec) ? [] : ([400] as const)),
    ...refusals,
    503,
  ];
}
