/** Is it up, and can it do its work. No key needed, nothing told but yes or no. */
import type { Hono } from "hono";
import type { WeirContext, WeirEnv } from "../context.ts";
import { logFailure } from "../log.ts";

export function registerHealth(app: Hono<WeirEnv>): void {
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.get("/readyz", readiness);
}

async function readiness(c: WeirContext): Promise<Response> {
  try {
    await c.env.LEDGER.prepare("SELECT version FROM catalogs LIMIT 1").first();
    return c.json({ status: "ok" });
  } catch (cause) {
    logFailure("the ledger cannot be read", cause);
    return c.json({ status: "unavailable" }, 503);
  }
}
