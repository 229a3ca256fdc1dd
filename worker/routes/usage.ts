/** Zuora's streaming ingestion in its two spellings. */
import type { Hono } from "hono";
import type { ValidationError } from "../../shared/events/validation-error.ts";
import { usageDialect } from "../../shared/intake/usage-dialect.ts";
import { USAGE_PATHS } from "../../shared/wire.ts";
import type { WeirContext, WeirEnv } from "../context.ts";
import type { EdgeDialect } from "../intake/edge-dialect.ts";
import { requirePermission } from "../middleware/authenticate.ts";
import { rateLimit } from "../middleware/rate-limit.ts";
import { measureOfUsage } from "../usage/measure.ts";
import { answerIngest } from "./ingest.ts";

export function registerUsage(app: Hono<WeirEnv>): void {
  for (const path of USAGE_PATHS) app.post(path, requirePermission("METER_DATA.INGEST"), rateLimit, ingestUsage);
}

function ingestUsage(c: WeirContext): Promise<Response> {
  return answerIngest(c, edgeUsageDialect(c.req.param("meterGlobalId") ?? ""));
}

function edgeUsageDialect(meterGlobalId: string): EdgeDialect<ValidationError> {
  return {
    ...usageDialect(meterGlobalId),
    rulesBy({ streams }) {
      const stream = streams.get(meterGlobalId);
      if (stream === undefined) return null;
      return {
        check: stream.check,
        ownIdField: stream.schema.event_id_field ?? null,
        measure: (event) => measureOfUsage(event, stream.schema),
        group: () => null,
      };
    },
  };
}
