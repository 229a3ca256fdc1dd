/** What travels with a request through middleware and routes. */
import type { Context } from "hono";
import type { ValidationError } from "../shared/events/validation-error.ts";
import { type SolvimonCode, solvimonError } from "../shared/intake/solvimon-answer.ts";
import { usageRefusal } from "../shared/intake/usage-answer.ts";
import { HEADER } from "../shared/wire.ts";
import type { Principal } from "./accounts/principal.ts";
import type { Writer } from "./database/key-gate.ts";
import type { Bindings } from "./env.ts";
import type { Services } from "./services.ts";

export interface WeirEnv {
  Bindings: Bindings;
  Variables: {
    services: Services;
    principal: Principal;
    /** Whose data the request is about: the key's own tenant, unless an operator names another. */
    tenant: string;
    requestId: string;
  };
}

export type WeirContext = Context<WeirEnv>;

export type RefusalStatus = 400 | 401 | 403 | 404 | 409 | 412 | 413 | 415 | 428 | 429 | 500 | 503 | 507;

/** The key that a write of this request comes with, and the time it is made at. */
export function writerOf(c: WeirContext): Writer {
  return { apiKeyId: c.get("principal").keyId, now: c.get("services").clock.now() };
}

/** Solvimon's routes answer errors in Solvimon's shape, all others in Weir's own. */
const SOLVIMON_ROUTE = /^\/v[^/]*\/(ingest|events)(\/|$)/;

const SOLVIMON_CODE: Record<RefusalStatus, SolvimonCode> = {
  400: "BAD_REQUEST",
  401: "UNAUTHORISED",
  403: "USER_NOT_ALLOWED",
  404: "RESOURCE_NOT_FOUND",
  409: "INVALID_OPERATION",
  412: "BAD_REQUEST",
  413: "BAD_REQUEST",
  415: "UNSUPPORTED_MEDIA_TYPE",
  428: "BAD_REQUEST",
  429: "BAD_REQUEST",
  500: "INTERNAL_ERROR",
  503: "INTERNAL_ERROR",
  507: "INTERNAL_ERROR",
};

/**
 * Answers with an error in the shape of the route's dialect.
 * @param code for Solvimon's routes, where the status does not say enough.
 */
export function refuse(
  c: WeirContext,
  status: RefusalStatus,
  message: string,
  reasons: readonly ValidationError[] = [],
  code: SolvimonCode = SOLVIMON_CODE[status],
) {
  // What a client may try instead (RFC 9110, section 11.6.1).
  if (status === 401) c.header(HEADER.wwwAuthenticate, "Bearer");
  const field = reasons[0]?.field;
  const details = field === undefined ? {} : { field };
  if (SOLVIMON_ROUTE.test(c.req.path)) return c.json(solvimonError(code, message, details), status);
  return c.json(usageRefusal(message, reasons), status);
}
