/** `GET /openapi.json`: what every route accepts and answers. No key needed. */
import { type Route, route } from "../http/route.ts";
import { answer } from "../openapi/answers.ts";
import { createDocument, type DescribedRoute } from "../openapi/document.ts";
import { object } from "../openapi/json-schema.ts";

const EXAMPLE = { openapi: "3.1.0", info: { title: "Weir", version: "0.1.0" }, paths: {} };

/** @param others all that are described beside this one. */
export function openApiRoute(others: readonly DescribedRoute[]): Route {
  // Made at the first request and kept: most instances are never asked for it.
  let text: string | null = null;
  const own: Route = route(
    {
      method: "get",
      path: "/openapi.json",
      permission: [],
      id: "getOpenApi",
      tag: "Service",
      summary: "This document",
      answers: {
        200: answer(
          "OpenAPI 3.1.",
          object({ openapi: { type: "string" }, info: { type: "object" }, paths: { type: "object" } }),
          EXAMPLE,
        ),
      },
    },
    function showDocument(c) {
      text ??= JSON.stringify(createDocument([...others, own]));
      c.header("Content-Type", "application/json");
      return c.body(text);
    },
  );
  return own;
}
