/** An ingest operation over HTTP: the request handed to the pipeline, its outcome answered as the dialect words it. */
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { IngestAnswer, Reason } from "../../shared/intake/dialect.ts";
import { refusedIn } from "../../shared/intake/refused-events.ts";
import { HEADER } from "../../shared/wire.ts";
import type { WeirContext } from "../context.ts";
import type { EdgeDialect } from "../intake/edge-dialect.ts";
import { createIngest } from "../intake/ingest.ts";
import type { BodyRequest } from "../intake/with-body.ts";

export async function answerIngest<R extends Reason>(c: WeirContext, dialect: EdgeDialect<R>): Promise<Response> {
  const { settings, clock, admission, catalogs, ledger, ledgerSize, events, nudgePending, refusals } =
    c.get("services");
  const ingest = createIngest({
    ...{ limits: settings.limits, clock, admission, catalogs, ledger, ledgerSize, events },
    onPending: (tenant, stream, context) => c.executionCtx.waitUntil(nudgePending(tenant, stream, context)),
  });
  const principal = c.get("principal");
  const outcome = await ingest(dialect, { ...bodyRequestOf(c), principal });
  const refused = refusedIn(outcome);
  if (refused !== null) refusals.note({ tenant: principal.tenant, stream: dialect.stream }, refused);
  return toResponse(c, dialect.answer(outcome));
}

export function bodyRequestOf(c: WeirContext): BodyRequest {
  const { tenant } = c.get("principal");
  return { header: (name) => c.req.header(name) ?? null, body: c.req.raw.body, tenant };
}

export function toResponse(c: WeirContext, { status, headers, body }: IngestAnswer): Response {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return c.body(text, status as ContentfulStatusCode, { ...headers, [HEADER.contentType]: "application/json" });
}
