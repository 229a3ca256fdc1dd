/** Meters and product items: names that may stand once, and what an ENUM may be. */
import type { Catalog } from "../schema/document.ts";
import { checkNames, Names } from "./names.ts";
import { type Complain, isInvalid, type Path, type Sound } from "./sound-part.ts";

type Meter = Sound<Catalog["meters"][number]>;
type MeterProperty = Sound<Catalog["meters"][number]["meter_properties"][number]>;

export function checkMeters(catalog: Sound<Catalog>, complain: Complain): void {
  checkNames(catalog.meters, ["meters"], complain);
  checkNames(catalog.product_items, ["product_items"], complain);
  catalog.meters?.forEach((meter, i) => {
    if (meter !== undefined) checkMeter(meter, ["meters", i], complain);
  });
}

function checkMeter(meter: Meter, path: Path, complain: Complain): void {
  checkNames(meter.meter_values, [...path, "meter_values"], complain);
  checkNames(meter.meter_properties, [...path, "meter_properties"], complain);
  meter.meter_properties?.forEach((property, i) => {
    if (property !== undefined) checkEnum(property, [...path, "meter_properties", i, "enum_values"], complain);
  });
}

function checkEnum(property: MeterProperty, path: Path, complain: Complain): void {
  const values = property.enum_values;
  if (property.type === "ENUM" && !isInvalid(property, "enum_values") && (values ?? []).length === 0) {
    complain(path, "an ENUM needs at least one value");
  }
  const names = new Names(complain);
  values?.forEach((value, i) => {
    names.take(value, [...path, i]);
  });
}
