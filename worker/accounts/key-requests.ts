/** What an admin may send about API keys. */
import { z } from "zod";
import { isDateTime } from "../../shared/events/date-time.ts";
import { PRODUCER_ENTRY } from "../../shared/intake/producer-names.ts";
import { PERMISSIONS } from "./principal.ts";
import { isOriginEntry } from "./web-origins.ts";

const OVERLAP = "Seconds for which the old key goes on being valid; 0 where absent.";

const ids = z.array(z.string().min(1).max(256)).max(1000);

export const newKeySchema = z.strictObject({
  name: z.string().min(1).max(256),
  tenant: z
    .string()
    .min(1)
    .max(128)
    .regex(/^[^\p{Cc}]*$/u, "may hold no control characters")
    .optional(),
  permissions: z.array(z.enum(PERMISSIONS)).min(1),
  platform_ids: ids.nullish(),
  entity_ids: ids.nullish(),
  org_ids: ids.nullish(),
  producers: z
    .array(z.string().regex(PRODUCER_ENTRY, "is a producer's name, or a prefix of names that ends in *"))
    .max(1000)
    .nullish(),
  origins: z
    .array(
      z.string().max(256).refine(isOriginEntry, "is a web origin as browsers write it, https://shop.example, or *"),
    )
    .max(100)
    .nullish(),
  expires_at: z
    .string()
    .refine(isDateTime, "must be a date-time with offset (RFC 3339)")
    .meta({ format: "date-time" })
    .nullish(),
});

export const rotationSchema = z.strictObject({
  overlap_seconds: z.int().min(0).max(2_592_000).meta({ description: OVERLAP }).optional(),
});
