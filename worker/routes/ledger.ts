/** The counts that prove it: a tenant's whole ledger for its admin, a producer's rows for its agent. */
import type { Hono } from "hono";
import { PRODUCER_PATTERN } from "../../shared/wire.ts";
import { refuse, type WeirContext, type WeirEnv } from "../context.ts";
import { requirePermission } from "../middleware/authenticate.ts";
import { tenantOf } from "./tenant.ts";

export function registerLedger(app: Hono<WeirEnv>): void {
  app.get("/admin/ledger", requirePermission("WEIR.ADMIN", "WEIR.OPERATOR"), adminLedger);
  app.get("/ledger", requirePermission("METER_DATA.INGEST"), producerLedger);
}

async function adminLedger(c: WeirContext): Promise<Response> {
  const tenant = tenantOf(c);
  if (tenant === null) return refuse(c, 403, "the key may not name another tenant");
  const filter = { producer: c.req.query("producer"), stream: c.req.query("stream") };
  return c.json({ items: await c.get("services").ledger.rows(tenant, filter) });
}

async function producerLedger(c: WeirContext): Promise<Response> {
  const producer = c.req.query("producer") ?? "";
  if (!PRODUCER_PATTERN.test(producer)) return refuse(c, 400, "name a producer: ?producer=NAME");
  return c.json({ items: await c.get("services").ledger.rows(c.get("principal").tenant, { producer }) });
}
