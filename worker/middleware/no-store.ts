/** Answers about a tenant's data and keys are nobody's to keep, refusals included. */
import { createMiddleware } from "hono/factory";
import type { WeirEnv } from "../context.ts";

export const noStore = createMiddleware<WeirEnv>(async function forbidStoring(c, next) {
  await next();
  c.header("Cache-Control", "no-store");
});
