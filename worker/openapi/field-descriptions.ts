/** What the fields of Solvimon's operations mean, in a sentence each; the field tables know only their form. */

const MEANING: Readonly<Record<string, string>> = {
  customer_id: "The id of the customer.",
  customer_reference: "Your own reference of the customer.",
  customer: "The customer, where it is not named by id or reference.",
  pricing_id: "The id of the pricing.",
  pricing_item_id: "The id of the pricing item.",
  pricing_item_config_id: "The id of the pricing item's config.",
  product_item_id: "The id of the product item.",
  pricing_plan_subscription_id: "The id of the pricing plan subscription.",
  pricing_plan_subscription_reference: "Your own reference of the pricing plan subscription.",
  pricing_plan_subscription_selector: "Selects the subscription to use among those of the customer.",
  reference: "Your own id of this event. A repeat of it is the same event, with other content a conflict.",
  description: "What the event is about, in one line.",
  timestamp: "When it happened (ISO 8601 with offset); where absent or null, the time of first receipt.",
  period: "The time the event is about; its end may not be before its start.",
  persist_usage: "The usage to persist.",
  persist_included_volume: "The included volume to persist.",
  persist_charged_volume: "Whether the charged volume is persisted.",
  persist_rollover_volume: "Whether the rollover volume is persisted.",
  set_rollover_volume: "Whether the rollover volume is set rather than added to.",
  included_volume: "The included volume, in the form of a meter value.",
  reprocess_id: "Groups the events of one reprocessing; a closed group takes no further event.",
  is_last_reprocess_item: "Closes the group; this event goes upstream after the rest of it.",
  value: "The value of the product item: exactly one of number, amount and count.",
  amount: "An amount, which may be negative.",
  fixed_amount: "A fixed amount, in the currency of amount where both are given.",
  meter_id: "The id of the meter.",
  meter_reference: "Your own reference of the meter.",
  meter_properties: "What gives the event its context: properties the meter's pricing may ask for.",
  meter_values: "What is metered: the input of the billable units.",
  cost_prediction: "Filled by a calculation; passed on as it is.",
  processed_details: "What came of processing the event; passed on as it is.",
  quantity: "A decimal number as text.",
  currency: "A currency by its ISO 4217 code.",
  start_at: "When the period begins.",
  end_at: "When the period ends.",
  ratio: "The part of the period that counts.",
  number: "A number, as decimal text.",
  count: "A count, as decimal text.",
  data: "What selectors and rules look at.",
  rules: "Rules by which one of several subscriptions is taken.",
  filters: "Filters that narrow the active subscriptions.",
  fallback: "What is taken where several are left: the latest, or none.",
  field: "The name of the field it is about.",
  type: "The kind of rule or filter.",
};

/** Where a name means something else inside another field. */
const MEANING_INSIDE: Readonly<Record<string, string>> = {
  "included_volume.id": "The id of the meter value.",
  "included_volume.reference": "Your own reference of the meter value.",
  "value.id": "The id of the meter value.",
  "value.reference": "Your own reference of the meter value.",
  "meter_values.id": "The id of the meter value.",
  "meter_values.reference": "Your own reference of the meter value.",
  "meter_properties.id": "The id of the meter property.",
  "meter_properties.reference": "Your own reference of the meter property.",
  "meter_properties.value": "The property's value.",
  "data.value": "The value looked at.",
  "filters.value": "The value compared with.",
};

/**
 * What a field means.
 * @param parent the field it stands in, or "".
 * @throws where nobody said so: a field without a meaning is not documented.
 */
export function describeField(name: string, parent: string): string {
  const meaning = MEANING_INSIDE[`${parent}.${name}`] ?? MEANING[name];
  if (meaning === undefined)
    throw new Error(`the field ${parent === "" ? "" : `${parent}.`}${name} has no description`);
  return meaning;
}
