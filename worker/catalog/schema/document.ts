/** The catalog document of a tenant: its shape alone. What a sound one must be beyond that is checked beside it. */
import { z } from "zod";
import { SOLVIMON_KINDS } from "../../../shared/events/kind.ts";
import { streamSchema } from "../../../shared/events/stream-schema.ts";
import { customerSchema, subscriptionSchema } from "./accounts.ts";
import { meterSchema, productItemSchema } from "./meters.ts";
import { pricingPlanSchema } from "./plans.ts";

const ENTRIES_MAX = 10_000;

const settingsSchema = z.strictObject({
  catalog: z.enum(["pass", "strict"]).default("pass"),
  deduplicate_by_content: z
    .partialRecord(z.enum(SOLVIMON_KINDS), z.boolean())
    .optional()
    .describe("By kind, default true. False: an event without reference, key or position is always a new one."),
});

export const catalogSchema = z.strictObject({
  settings: settingsSchema.default({ catalog: "pass" }),
  streams: z.array(streamSchema).max(ENTRIES_MAX).default([]),
  meters: z.array(meterSchema).max(ENTRIES_MAX).default([]),
  product_items: z.array(productItemSchema).max(ENTRIES_MAX).default([]),
  customers: z.array(customerSchema).max(ENTRIES_MAX).default([]),
  subscriptions: z.array(subscriptionSchema).max(ENTRIES_MAX).default([]),
  pricing_plans: z.array(pricingPlanSchema).max(ENTRIES_MAX).default([]),
});

export type Catalog = z.infer<typeof catalogSchema>;
