/** The catalog document of a tenant: its shape, and all that is wrong with one. */
import { z } from "zod";
import { streamSchema } from "../../shared/events/stream-schema.ts";
import { type Fault, validationFault } from "../../shared/fault.ts";
import { customerSchema, subscriptionSchema } from "./account-sections.ts";
import { checkAccounts } from "./check-accounts.ts";
import { checkMeters } from "./check-meters.ts";
import { checkPlans } from "./check-plans.ts";
import { checkStreams } from "./check-streams.ts";
import { meterSchema, productItemSchema } from "./meter-sections.ts";
import { pricingPlanSchema } from "./plan-sections.ts";
import { type Complain, type Path, soundPart } from "./sound-part.ts";

const ENTRIES_MAX = 10_000;

/** The shape alone; what a sound catalog must be beyond that is checked by checkCatalog. */
export const catalogSchema = z.strictObject({
  settings: z.strictObject({ catalog: z.enum(["pass", "strict"]).default("pass") }).default({ catalog: "pass" }),
  streams: z.array(streamSchema).max(ENTRIES_MAX).default([]),
  meters: z.array(meterSchema).max(ENTRIES_MAX).default([]),
  product_items: z.array(productItemSchema).max(ENTRIES_MAX).default([]),
  customers: z.array(customerSchema).max(ENTRIES_MAX).default([]),
  subscriptions: z.array(subscriptionSchema).max(ENTRIES_MAX).default([]),
  pricing_plans: z.array(pricingPlanSchema).max(ENTRIES_MAX).default([]),
});

export type Catalog = z.infer<typeof catalogSchema>;

export type CatalogOutcome =
  | { readonly kind: "catalog"; readonly catalog: Catalog }
  | { readonly kind: "faults"; readonly faults: Fault[] };

/** Checks a whole document; lists every fault, of shape and of sense, with its dotted path. */
export function checkCatalog(document: unknown): CatalogOutcome {
  const parsed = catalogSchema.safeParse(document);
  const issues = parsed.error?.issues ?? [];
  const faults = issues.flatMap(shapeFaults);
  const complain: Complain = (path, message) => faults.push(faultAt(path, message));
  // What has no fault of shape is checked for sense, so that one round of mending is enough.
  const sound = parsed.success ? parsed.data : soundPart<Catalog>(document, issues);
  checkMeters(sound, complain);
  checkAccounts(sound, complain);
  checkPlans(sound, complain);
  checkStreams(sound, complain);
  if (parsed.success && faults.length === 0) return { kind: "catalog", catalog: parsed.data };
  return { kind: "faults", faults };
}

function shapeFaults(issue: z.core.$ZodIssue): Fault[] {
  if (issue.code !== "unrecognized_keys") return [faultAt(issue.path, issue.message)];
  return issue.keys.map((name) => faultAt([...issue.path, name], "is not a field of the catalog"));
}

function faultAt(path: Path, message: string): Fault {
  const field = path.join(".");
  return validationFault(field === "" ? message : `${field}: ${message}`, field === "" ? {} : { field });
}
