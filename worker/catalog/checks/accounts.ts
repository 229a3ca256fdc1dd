/** Customers and subscriptions: names that may stand once, references that resolve, dates in order. */
import { instantOf } from "../../pricing/instant.ts";
import type { Catalog } from "../schema/document.ts";
import { checkNames } from "./names.ts";
import type { Complain, Sound } from "./sound-part.ts";

export function checkAccounts(catalog: Sound<Catalog>, complain: Complain): void {
  checkNames(catalog.customers, ["customers"], complain);
  checkNames(catalog.subscriptions, ["subscriptions"], complain);
  const customers = new Set(catalog.customers?.map((customer) => customer?.id));
  const plans = new Set(catalog.pricing_plans?.map((plan) => plan?.id));
  catalog.subscriptions?.forEach((subscription, i) => {
    const { customer_id: customer, pricing_plan_id: plan, start_at: start, end_at: end } = subscription ?? {};
    const path = ["subscriptions", i];
    if (customer !== undefined && !customers.has(customer)) complain([...path, "customer_id"], "names no customer");
    if (plan !== undefined && !plans.has(plan)) complain([...path, "pricing_plan_id"], "names no pricing plan");
    const [startMs, endMs] = [instantOf(start ?? ""), instantOf(end ?? "")];
    if (startMs !== null && endMs !== null && startMs >= endMs) complain([...path, "end_at"], "must be after start_at");
  });
}
