/** What an operator may say of a destination. */
import { z } from "zod";
import { UPSTREAM_NAMES, UPSTREAMS } from "../../shared/vendors/vendors.ts";

/** The destination that the settings describe, for every tenant that has none of its own. */
export const DEFAULT_DESTINATION = "default";

export const DESTINATION_NAME = /^[A-Za-z0-9._-]{1,64}$/;

/** Longer than any address in use. */
const URL_LENGTH_MAX = 2_000;
const SECRET_LENGTH_MAX = 4_096;

const url = z.string().min(1).max(URL_LENGTH_MAX);
const secret = z
  .string()
  .min(1)
  .max(SECRET_LENGTH_MAX)
  .regex(/^[\x21-\x7e]+$/, "must be printable ASCII without spaces");
const count = z.int().min(1).max(Number.MAX_SAFE_INTEGER);

export const destinationSchema = z
  .strictObject({
    dialect: z.enum(UPSTREAM_NAMES),
    base_url: url,
    ingest_path: z
      .string()
      .max(URL_LENGTH_MAX)
      .regex(/^\/[\x21-\x7e]*$/, "must be a path that begins with /")
      .optional(),
    token_url: url.optional(),
    client_id: z.string().min(1).max(SECRET_LENGTH_MAX).optional(),
    client_secret: secret.optional(),
    api_key: secret.optional(),
    max_bytes: count.optional(),
    max_events: count.optional(),
    calls_per_minute: count.optional(),
  })
  .superRefine((wanted, context) => {
    for (const field of unusedFields(wanted.dialect)) {
      if (wanted[field] === undefined) continue;
      context.addIssue({ code: "custom", path: [field], message: `is of no use to a ${wanted.dialect} destination` });
    }
  });

export type DestinationRequest = z.infer<typeof destinationSchema>;

/** What a vendor does not take: a person who sends it means something else. */
function unusedFields(dialect: DestinationRequest["dialect"]) {
  const { credentials, ingestPath } = UPSTREAMS[dialect];
  return [
    ...(credentials.kind === "token" ? (["api_key"] as const) : (["client_id", "client_secret", "token_url"] as const)),
    ...(ingestPath === null ? (["ingest_path"] as const) : []),
  ];
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/**
 * What is wrong with an address events or credentials are to go to; null for nothing.
 * @param loopback whether plain http to this very machine is taken, as on a local edge.
 */
export function urlError(text: string, loopback: boolean): string | null {
  if (!URL.canParse(text) || /[\s\\]/.test(text)) return "must be a URL";
  const { protocol, hostname, username, password, search, hash } = new URL(text);
  if (username !== "" || password !== "") return "may hold no credentials";
  if (search !== "" || hash !== "" || /[?#]/.test(text)) return "may have neither query nor fragment";
  if (protocol === "https:" || (protocol === "http:" && loopback && LOOPBACK.test(hostname))) return null;
  return loopback ? "must be https, or http to this machine" : "must be https";
}
