/** One config of a pricing item: its bands, its clamps, and conditions that the meter can meet. */
import { readDecimal } from "../../pricing/decimal.ts";
import type { Catalog } from "../schema/document.ts";
import { type Complain, isInvalid, type Path, type Sound } from "./sound-part.ts";

type WholeConfig = Catalog["pricing_plans"][number]["pricings"][number]["pricing_items"][number]["configs"][number];
export type Config = Sound<WholeConfig>;
export type Meter = Sound<Catalog["meters"][number]>;
type Condition = Sound<WholeConfig["conditions"][number]>;

/** @param meter the item's; undefined where it names none, which is an error of its own. */
export function checkConfig(config: Config, meter: Meter | undefined, path: Path, complain: Complain): void {
  checkBands(config, [...path, "bands"], complain);
  const [min, max] = [decimal(config.min_amount), decimal(config.max_amount)];
  if (min !== null && max !== null && min.gt(max)) complain([...path, "max_amount"], "must not be below min_amount");
  config.conditions?.forEach((condition, i) => {
    if (condition !== undefined) checkCondition(condition, meter, [...path, "conditions", i], complain);
  });
}

function checkBands(config: Config, path: Path, complain: Complain): void {
  const { bands, pricing_type: type } = config;
  if (isInvalid(config, "bands")) return;
  const count = bands?.length ?? 0;
  if (type === "FLAT" || type === "FIXED" || type === "PASS_THROUGH") {
    if (count !== 1) complain(path, `${type} has exactly one band`);
  } else if (count === 0 && type !== undefined && type !== "NONE") complain(path, `${type} needs at least one band`);
  bands?.forEach((band, i) => {
    const isLast = i === count - 1;
    const isOpen = band !== undefined && !isInvalid(band, "tier_top_bound") && (band.tier_top_bound ?? null) === null;
    const boundPath = [...path, i, "tier_top_bound"];
    if (isLast && typeof band?.tier_top_bound === "string") complain(boundPath, "the last band has no bound");
    if (!isLast && isOpen) complain(boundPath, "only the last band may have no bound");
    const [before, bound] = [decimal(bands[i - 1]?.tier_top_bound), decimal(band?.tier_top_bound)];
    if (before !== null && bound !== null && !bound.gt(before))
      complain(boundPath, "must be above the bound before it");
  });
}

function checkCondition(condition: Condition, meter: Meter | undefined, path: Path, complain: Complain): void {
  const { property: name, operator, value } = condition;
  if (typeof value === "object" && (operator === "EQUALS" || operator === "NOT_EQUALS")) {
    complain([...path, "value"], `${operator} takes a single string`);
  }
  if (meter === undefined || name === undefined || value === undefined) return;
  const property = meter.meter_properties?.find((known) => known?.reference === name);
  if (property === undefined) {
    complain([...path, "property"], "names no property of the meter");
    return;
  }
  (typeof value === "string" ? [value] : value).forEach((one, i) => {
    const valuePath = [...path, "value", ...(typeof value === "string" ? [] : [i])];
    if (one === undefined) return;
    if (property.type === "NUMBER" && readDecimal(one) === null)
      complain(valuePath, "must be a decimal: the property is");
    if (property.type === "ENUM" && property.enum_values?.includes(one) === false) {
      complain(valuePath, "is none of the property's enum_values");
    }
  });
}

function decimal(text: string | null | undefined) {
  return readDecimal(text ?? "");
}
