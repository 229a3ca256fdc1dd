/** Solvimon's ingest operations: persist, charge, adjustment and meter data, single and in lists. */
import type { Hono } from "hono";
import { reprocessGroup, type SolvimonKind } from "../../shared/events/solvimon-fields.ts";
import { type SolvimonReason, unsupportedVersion } from "../../shared/intake/solvimon-answer.ts";
import { solvimonCheck } from "../../shared/intake/solvimon-body.ts";
import { type SolvimonForm, solvimonDialect } from "../../shared/intake/solvimon-dialect.ts";
import { SOLVIMON_PATHS, SOLVIMON_VERSION } from "../../shared/wire.ts";
import type { WeirContext, WeirEnv } from "../context.ts";
import type { EdgeDialect } from "../intake/edge-dialect.ts";
import { requirePermission } from "../middleware/authenticate.ts";
import { rateLimit } from "../middleware/rate-limit.ts";
import { measureOfMeterData } from "../usage/measure.ts";
import { answerIngest } from "./ingest.ts";

const KINDS = Object.keys(SOLVIMON_PATHS) as SolvimonKind[];
const FORMS = ["single", "list"] as const;

export function registerSolvimon(app: Hono<WeirEnv>): void {
  const guards = [requirePermission("METER_DATA.INGEST"), rateLimit, requireVersion] as const;
  for (const kind of KINDS) {
    for (const form of FORMS) {
      const dialect = edgeSolvimonDialect(kind, form);
      for (const path of SOLVIMON_PATHS[kind][form]) {
        app.post(`/:version{v[^/]*}${path}`, ...guards, (c) => answerIngest(c, dialect));
      }
    }
  }
}

/** Lets only the one version of the API pass that is spoken here. */
export async function requireVersion(c: WeirContext, next: () => Promise<void>): Promise<Response | undefined> {
  const version = c.req.param("version")?.slice(1) ?? "";
  if (version !== SOLVIMON_VERSION) return c.json(unsupportedVersion(version), 400);
  await next();
  return undefined;
}

function edgeSolvimonDialect(kind: SolvimonKind, form: SolvimonForm): EdgeDialect<SolvimonReason> {
  const ownCheck = solvimonCheck(kind);
  return {
    ...solvimonDialect(kind, form),
    rulesBy: ({ references }) => ({
      check(event) {
        const errors = ownCheck(event);
        // Names are looked up only in an event that is right in itself.
        return errors.length > 0 || references === null ? errors : references.unknown(kind, event);
      },
      ownIdField: "reference",
      measure: (event) => (kind === "meter-data" ? measureOfMeterData(event) : null),
      group: (event) => (kind === "persist" ? reprocessGroup(event) : null),
    }),
  };
}
