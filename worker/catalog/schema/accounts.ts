/** Customers and their subscriptions, as the catalog writes them. */
import { z } from "zod";
import { dateTimeText, nameText } from "./texts.ts";

export const customerSchema = z.strictObject({ id: nameText, reference: nameText });

export const subscriptionSchema = z.strictObject({
  id: nameText,
  reference: nameText,
  customer_id: nameText,
  pricing_plan_id: nameText,
  start_at: dateTimeText,
  end_at: dateTimeText.nullish(),
});
