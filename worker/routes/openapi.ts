/** `GET /openapi.json`: what every route takes and answers. No key needed. */
import type { Hono } from "hono";
import type { WeirContext, WeirEnv } from "../context.ts";
import { createDocument } from "../openapi/document.ts";

export function registerOpenApi(app: Hono<WeirEnv>): void {
  // Made at the first request and kept: most instances are never asked for it.
  let text: string | null = null;
  app.get("/openapi.json", function showDocument(c: WeirContext) {
    text ??= JSON.stringify(createDocument());
    c.header("Content-Type", "application/json");
    return c.body(text);
  });
}
