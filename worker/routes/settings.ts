/** `/admin/settings`: what this deployment runs with, so that nobody has to guess which variable took effect. */
import type { WeirContext } from "../context.ts";
import { route } from "../http/route.ts";
import { answer } from "../openapi/answers.ts";
import { COUNT, described, nullable, object, TEXT } from "../openapi/json-schema.ts";

const UPSTREAM = object({
  base_url: described(nullable(TEXT), "Null: nothing is sent, events stay pending."),
  ingest_path: described(nullable(TEXT), "Null: the vendor's own."),
  max_bytes: described(nullable(COUNT), "Bytes of a call; null: the vendor's own limit."),
  max_events: described(nullable(COUNT), "Events of a call; null: the vendor's own limit."),
  has_credentials: described({ type: "boolean" }, "Whether a key or a client's secret is set; never which."),
});

const SETTINGS = object({
  max_body_bytes: COUNT,
  max_events: COUNT,
  rate_limit_per_minute: described(COUNT, "Requests of a key to one Worker instance; 0: any number."),
  token_rate_limit_per_minute: described(
    COUNT,
    "Requests for tokens of a client, or an address, to one Worker instance.",
  ),
  upstream_timeout_ms: COUNT,
  backoff_base_ms: COUNT,
  backoff_max_ms: COUNT,
  upstreams: described({ type: "object", additionalProperties: UPSTREAM }, "By vendor."),
});

const EXAMPLE = {
  max_body_bytes: 4_000_000,
  max_events: 10_000,
  rate_limit_per_minute: 0,
  token_rate_limit_per_minute: 60,
  upstream_timeout_ms: 30_000,
  backoff_base_ms: 500,
  backoff_max_ms: 60_000,
  upstreams: {
    zuora: {
      base_url: "https://mediation.example.com",
      ingest_path: null,
      max_bytes: 1_000_000,
      max_events: 1_000,
      has_credentials: true,
    },
  },
};

function showSettings(c: WeirContext): Response {
  const { limits, rateLimitPerMinute, tokenRateLimitPerMinute, upstreams, upstreamTimeoutMs, backoff } =
    c.get("services").settings;
  return c.json({
    max_body_bytes: limits.bodyBytesMax,
    max_events: limits.eventsMax,
    rate_limit_per_minute: rateLimitPerMinute,
    token_rate_limit_per_minute: tokenRateLimitPerMinute,
    upstream_timeout_ms: upstreamTimeoutMs,
    backoff_base_ms: backoff.baseMs,
    backoff_max_ms: backoff.maxMs,
    upstreams: Object.fromEntries(
      Object.entries(upstreams).map(([name, upstream]) => [
        name,
        {
          base_url: upstream.baseUrl,
          ingest_path: upstream.ingestPath,
          max_bytes: upstream.bytesMax,
          max_events: upstream.eventsMax,
          has_credentials: upstream.apiKey !== "" || upstream.clientSecret !== "",
        },
      ]),
    ),
  });
}

export const settingsRoutes = [
  route(
    {
      method: "get",
      path: "/admin/settings",
      permission: ["WEIR.OPERATOR"],
      id: "getSettings",
      tag: "Service",
      summary: "The settings in force, secrets left out",
      answers: { 200: answer("The settings.", SETTINGS, EXAMPLE) },
    },
    (c) => showSettings(c),
  ),
];
