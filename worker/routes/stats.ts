/** The ledger in numbers: `/metrics` for Prometheus, `/admin/stats` by the minute. */
import type { Hono } from "hono";
import { refuse, type WeirContext, type WeirEnv } from "../context.ts";
import { metricsText } from "../metrics-text.ts";
import { requirePermission } from "../middleware/authenticate.ts";
import { tenantOf } from "./tenant.ts";

const MINUTE_MS = 60_000;
/** Minutes told, the current one included. */
const MINUTES = 60;

export function registerStats(app: Hono<WeirEnv>): void {
  app.get("/metrics", requirePermission("WEIR.OPERATOR"), showMetrics);
  app.get("/admin/stats", requirePermission("WEIR.ADMIN", "WEIR.OPERATOR"), showStats);
}

async function showMetrics(c: WeirContext): Promise<Response> {
  const { stats, clock } = c.get("services");
  const now = clock.now();
  const [totals, holds] = await Promise.all([stats.totals(), stats.holds(now)]);
  c.header("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  return c.body(metricsText(totals, holds, now));
}

async function showStats(c: WeirContext): Promise<Response> {
  const tenant = tenantOf(c);
  if (tenant === null) return refuse(c, 403, "the key may not name another tenant");
  const { stats, clock } = c.get("services");
  const now = clock.now();
  const from = (Math.floor(now / MINUTE_MS) - MINUTES + 1) * MINUTE_MS;
  const streams = await stats.minutes(tenant, c.req.query("stream") ?? null, from);
  const iso = (ms: number) => new Date(ms).toISOString();
  return c.json({
    from: iso(from),
    to: iso(now),
    items: streams.map(({ stream, minutes, cutBefore }) => ({
      stream,
      minutes: minutes.map(({ at, accepted }) => ({ at: iso(at), accepted })),
      ...(cutBefore === null ? {} : { cut_before: iso(cutBefore) }),
    })),
  });
}
