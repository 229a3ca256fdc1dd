/** The counts that prove it: a tenant's whole ledger for its admin, a producer's rows for its agent. */
import type { Hono } from "hono";
import { validationError } from "../../shared/events/validation-error.ts";
import { PRODUCER_PATTERN } from "../../shared/wire.ts";
import { refuse, type WeirContext, type WeirEnv } from "../context.ts";
import { requirePermission } from "../middleware/authenticate.ts";
import { wholeNumber } from "./page.ts";
import { tenantOf } from "./tenant.ts";

export function registerLedger(app: Hono<WeirEnv>): void {
  app.get("/admin/ledger", requirePermission("WEIR.ADMIN", "WEIR.OPERATOR"), adminLedger);
  app.get("/ledger", requirePermission("METER_DATA.INGEST"), producerLedger);
}

async function adminLedger(c: WeirContext): Promise<Response> {
  const tenant = tenantOf(c);
  if (tenant === null) return refuse(c, 403, "the key may not name another tenant");
  return answerRows(c, tenant, c.req.query("producer"));
}

async function producerLedger(c: WeirContext): Promise<Response> {
  const producer = c.req.query("producer") ?? "";
  if (!PRODUCER_PATTERN.test(producer)) return refuse(c, 400, "name a producer: ?producer=NAME");
  return answerRows(c, c.get("principal").tenant, producer);
}

async function answerRows(c: WeirContext, tenant: string, producer: string | undefined): Promise<Response> {
  const gapsAfter = wholeNumber(c.req.query("gaps_after") ?? "0");
  if (gapsAfter === null) {
    const fault = validationError("gaps_after is a position, say the end of the last gap listed", {
      field: "gaps_after",
    });
    return refuse(c, 400, fault.message, [fault]);
  }
  const rows = await c.get("services").ledger.rows(tenant, { producer, stream: c.req.query("stream"), gapsAfter });
  return c.json({ items: rows });
}
