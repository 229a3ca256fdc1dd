/** What travels with a request through middleware and routes. */
import type { Context } from "hono";
import type { Fault } from "../shared/fault.ts";
import { usageRefusal } from "../shared/intake/usage-answer.ts";
import type { Principal } from "./accounts/principal.ts";
import type { Bindings } from "./env.ts";
import type { Services } from "./services.ts";

export interface WeirEnv {
  Bindings: Bindings;
  Variables: { services: Services; principal: Principal; requestId: string };
}

export type WeirContext = Context<WeirEnv>;

export type RefusalStatus = 400 | 401 | 403 | 404 | 409 | 413 | 415 | 429 | 500 | 503;

/** Answers with Weir's own error body. */
export function refuse(c: WeirContext, status: RefusalStatus, message: string, reasons: readonly Fault[] = []) {
  return c.json(usageRefusal(message, reasons), status);
}
