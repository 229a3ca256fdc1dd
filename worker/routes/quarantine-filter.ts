/** Which open entries of quarantine a call means, and the ids that they are to go up with instead. */
import { z } from "zod";
import { isDateTime } from "../../shared/events/date-time.ts";
import type { Kind } from "../../shared/events/kind.ts";
import { type ValidationError, validationError } from "../../shared/events/validation-error.ts";
import { sentIdsText } from "../../shared/identity.ts";
import type { Principal } from "../accounts/principal.ts";
import { type BodyOutcome, checkedBy, notValid } from "../http/body.ts";
import { type UpstreamContext, withStandIn } from "../intake/scope.ts";
import type { QuarantineFilter } from "../ledger/quarantine.ts";
import { type Bounds, beyond, standInOf } from "../tenants/bounds.ts";

const ID = z.string().min(1).max(256);
/** As a header names them; null for a request without that header. */
const IDS = z.array(ID).min(1).max(100).nullable();
const PLATFORM = ID.nullable();
const DATE_TIME = z.string().refine(isDateTime, "is a date-time with offset (RFC 3339)");

/** The ids of a request's headers. */
export const headersSchema = z.strictObject({
  entity_ids: IDS.optional(),
  org_ids: IDS.optional(),
  platform_id: PLATFORM.optional(),
});
export type HeaderIds = z.infer<typeof headersSchema>;

/** The ids headers of a request, whole: as a withdrawal names them. */
const contextSchema = z.strictObject({
  "zuora-entity-ids": ID.optional(),
  "zuora-org-ids": ID.optional(),
  "x-platform-id": ID.optional(),
});

const FILTER = {
  context: contextSchema.optional(),
  stream: ID.optional(),
  code: z.union([z.string().min(1).max(100), z.number()]).optional(),
  ...headersSchema.shape,
  from: DATE_TIME.optional(),
  to: DATE_TIME.optional(),
  ids: z
    .array(z.string().regex(/^\d{1,15}$/, "is an entry's id"))
    .min(1)
    .max(1000)
    .optional(),
} as const;

const GOING_ON = {
  cursor: z
    .string()
    .regex(/^\d{1,15}$/, "is the `next` of the call before")
    .optional(),
} as const;

export const replaySchema = z.strictObject({ ...FILTER, ...GOING_ON, headers: headersSchema.optional() });
export const discardSchema = z.strictObject({ ...FILTER, ...GOING_ON, reason: z.string().trim().min(1).max(1000) });

/** A body that names at least one filter: all that waits is discarded by nobody's accident. */
export function readFiltered<T extends { readonly [Name in keyof typeof FILTER]?: unknown }>(
  schema: z.ZodType<T>,
): (text: string) => BodyOutcome<T> {
  const read = checkedBy(schema, "the filter is not valid");
  return (text) => {
    const outcome = read(text);
    if (outcome.kind === "refused") return outcome;
    const { body } = outcome;
    if (Object.keys(FILTER).some((name) => body[name as keyof typeof FILTER] !== undefined)) return outcome;
    return notValid([], `name a filter, one of ${Object.keys(FILTER).join(", ")}`);
  };
}

export function filterOf(given: z.infer<typeof replaySchema> | z.infer<typeof discardSchema>): QuarantineFilter {
  const { stream, code, context, entity_ids, org_ids, platform_id, from, to, ids } = given;
  return {
    stream,
    code: code === undefined ? undefined : String(code),
    context: context === undefined ? undefined : contextText(context),
    entity: entity_ids === undefined ? undefined : (entity_ids?.join(",") ?? null),
    org: org_ids === undefined ? undefined : (org_ids?.join(",") ?? null),
    platform: platform_id,
    from: from === undefined ? undefined : Date.parse(from),
    to: to === undefined ? undefined : Date.parse(to),
    ids: ids?.map(Number),
  };
}

/** @param context JSON of an UpstreamContext, not "". */
export function headersOf(context: string): HeaderIds {
  const { entity, org, platform }: UpstreamContext = JSON.parse(context);
  return {
    ...(entity === undefined ? {} : { entity_ids: entity.split(",") }),
    ...(org === undefined ? {} : { org_ids: org.split(",") }),
    ...(platform === undefined ? {} : { platform_id: platform }),
  };
}

/** A context with some of its ids replaced. @param context JSON of an UpstreamContext, or "". */
export function correctedContext(context: string, headers: HeaderIds): string {
  const held: UpstreamContext = context === "" ? {} : JSON.parse(context);
  const pick = (given: string | null | undefined, was: string | undefined) =>
    given === undefined ? was : (given ?? undefined);
  const entity = pick(headers.entity_ids === null ? null : headers.entity_ids?.join(","), held.entity);
  const org = pick(headers.org_ids === null ? null : headers.org_ids?.join(","), held.org);
  const platform = pick(headers.platform_id, held.platform);
  return jsonOf({ entity, org, platform });
}

/** By the names that a replay's `headers` have for them. */
const REPLAY_FIELD: Readonly<Record<string, string>> = {
  "Zuora-Entity-Ids": "headers.entity_ids",
  "Zuora-Org-Ids": "headers.org_ids",
  "x-platform-id": "headers.platform_id",
};

/**
 * Where an event goes that is sent again: no further than the key and the tenant reach now, whatever its own request
 * could. @param context JSON of an UpstreamContext, or "".
 */
export function heldContext(
  context: string,
  kind: Kind,
  maker: Principal,
  allowed: Bounds,
): { readonly context: string; readonly errors: readonly ValidationError[] } {
  const { entity, org, platform }: UpstreamContext = context === "" ? {} : JSON.parse(context);
  const named = { entityIds: entity ?? null, orgIds: org ?? null, platformId: platform ?? null };
  const foreign = headerErrors(maker, allowed, {
    ...(entity === undefined ? {} : { entity_ids: entity.split(",") }),
    ...(org === undefined ? {} : { org_ids: org.split(",") }),
    ...(platform === undefined ? {} : { platform_id: platform }),
  });
  const { ids, errors } = withStandIn(named, standInOf(maker, allowed), kind);
  const unnamed = errors.map((error) => ({ ...error, field: REPLAY_FIELD[error.field ?? ""] ?? error.field ?? "" }));
  return { context: sentIdsText(ids), errors: [...foreign, ...unnamed] };
}

function contextText(context: z.infer<typeof contextSchema>): string {
  const { "zuora-entity-ids": entity, "zuora-org-ids": org, "x-platform-id": platform } = context;
  return jsonOf({ entity, org, platform });
}

function jsonOf({ entity, org, platform }: { readonly [Name in keyof UpstreamContext]: string | undefined }): string {
  if (entity === undefined && org === undefined && platform === undefined) return "";
  return JSON.stringify({
    ...(entity === undefined ? {} : { entity }),
    ...(org === undefined ? {} : { org }),
    ...(platform === undefined ? {} : { platform }),
  } satisfies UpstreamContext);
}

/** An admin's key corrects to ids within its tenant's bounds, and its own lists where it has them: as it makes keys. */
export function headerErrors(maker: Principal, allowed: Bounds, headers: HeaderIds): ValidationError[] {
  const foreign = (field: string, ids: readonly string[], lists: readonly (readonly string[] | null)[]) =>
    lists
      .flatMap((list) => (list === null ? [] : beyond(ids, list)))
      .map(([, id]) => validationError(`${JSON.stringify(id)} may not be used`, { field: `headers.${field}` }));
  return [
    ...foreign("entity_ids", headers.entity_ids ?? [], [maker.entityIds, allowed.entityIds]),
    ...foreign("org_ids", headers.org_ids ?? [], [maker.orgIds, allowed.orgIds]),
    ...foreign("platform_id", headers.platform_id ? [headers.platform_id] : [], [
      maker.platformIds,
      allowed.platformIds,
    ]),
  ];
}
