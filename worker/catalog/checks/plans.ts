/** Pricing plans: names that may stand once, references that resolve, one currency, sound configs. */

import type { Catalog } from "../schema/document.ts";
import { type Config, checkConfig, type Meter } from "./config.ts";
import { checkNames, Names } from "./names.ts";
import type { Complain, Path, Sound } from "./sound-part.ts";

type Plan = Sound<Catalog["pricing_plans"][number]>;
type PricingItem = Sound<Catalog["pricing_plans"][number]["pricings"][number]["pricing_items"][number]>;

export function checkPlans(catalog: Sound<Catalog>, complain: Complain): void {
  checkNames(catalog.pricing_plans, ["pricing_plans"], complain);
  const plans = new PlanCheck(catalog, complain);
  catalog.pricing_plans?.forEach((plan, i) => {
    if (plan !== undefined) plans.check(plan, ["pricing_plans", i]);
  });
}

/** Pricings, items and configs have ids that may stand once in the whole document: answers name them alone. */
class PlanCheck {
  readonly #complain: Complain;
  readonly #pricings: Names;
  readonly #items: Names;
  readonly #configs: Names;
  readonly #productItems: ReadonlySet<string | undefined>;
  readonly #meters: ReadonlyMap<string | undefined, Meter>;

  constructor(catalog: Sound<Catalog>, complain: Complain) {
    this.#complain = complain;
    this.#pricings = new Names(complain);
    this.#items = new Names(complain);
    this.#configs = new Names(complain);
    this.#productItems = new Set(catalog.product_items?.map((item) => item?.id));
    this.#meters = new Map(catalog.meters?.map((meter) => [meter?.reference, meter ?? {}]));
  }

  check(plan: Plan, path: Path): void {
    const configs: { readonly config: Config; readonly path: Path }[] = [];
    plan.pricings?.forEach((pricing, i) => {
      const pricingPath = [...path, "pricings", i];
      this.#pricings.take(pricing?.id, [...pricingPath, "id"]);
      pricing?.pricing_items?.forEach((item, n) => {
        const itemPath = [...pricingPath, "pricing_items", n];
        if (item !== undefined) this.#checkItem(item, itemPath);
        item?.configs?.forEach((config, c) => {
          if (config !== undefined) configs.push({ config, path: [...itemPath, "configs", c] });
        });
      });
    });
    const currency = configs.find(({ config }) => config.currency !== undefined)?.config.currency;
    for (const { config, path: configPath } of configs) {
      if (config.currency === undefined || config.currency === currency) continue;
      this.#complain([...configPath, "currency"], `must be ${currency} as in the rest of the plan`);
    }
  }

  #checkItem(item: PricingItem, path: Path): void {
    const { product_item_id: product, meter_reference: reference, meter_value_reference: value } = item;
    this.#items.take(item.id, [...path, "id"]);
    if (typeof product === "string" && !this.#productItems.has(product)) {
      this.#complain([...path, "product_item_id"], "names no product item");
    }
    const meter = reference === undefined ? undefined : this.#meters.get(reference);
    if (reference !== undefined && meter === undefined) this.#complain([...path, "meter_reference"], "names no meter");
    if (
      meter !== undefined &&
      value !== undefined &&
      !meter.meter_values?.some((known) => known?.reference === value)
    ) {
      this.#complain([...path, "meter_value_reference"], "names no value of the meter");
    }
    item.configs?.forEach((config, i) => {
      const configPath = [...path, "configs", i];
      this.#configs.take(config?.id, [...configPath, "id"]);
      if (config !== undefined) checkConfig(config, meter, configPath, this.#complain);
    });
  }
}
