/** What an operator may say of a tenant. */
import { z } from "zod";

const ids = z.array(z.string().min(1).max(256)).max(10_000);
const destination = z.string().min(1).max(64);

export const tenantSchema = z.strictObject({
  name: z.string().min(1).max(256).nullish(),
  destinations: z.strictObject({ zuora: destination.optional(), solvimon: destination.optional() }).optional(),
  allowed: z
    .strictObject({
      meters: ids.optional(),
      entity_ids: ids.optional(),
      org_ids: ids.optional(),
      platform_ids: ids.optional(),
    })
    .optional(),
});

export const TENANT_ID = /^[^\p{Cc}]{1,128}$/u;
