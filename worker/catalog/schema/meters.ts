/** Meters, and what is sold by them, as the catalog writes them. */
import { z } from "zod";
import { CALCULATIONS, PROPERTY_TYPES } from "../../pricing/catalog.ts";
import { nameText } from "./texts.ts";

const meterValue = z.strictObject({
  id: nameText.nullish(),
  reference: nameText,
  type: z.enum(["NUMBER", "AMOUNT"]),
  calculation: z.enum(CALCULATIONS),
  required: z.boolean(),
});

const meterProperty = z.strictObject({
  id: nameText.nullish(),
  reference: nameText,
  type: z.enum(PROPERTY_TYPES),
  enum_values: z.array(z.string().max(256)).max(10_000).nullish(),
  required: z.boolean(),
});

export const meterSchema = z.strictObject({
  id: nameText,
  reference: nameText,
  status: z.enum(["DRAFT", "ACTIVE", "DEPRECATED", "ARCHIVED"]),
  meter_values: z.array(meterValue).max(1_000).default([]),
  meter_properties: z.array(meterProperty).max(1_000).default([]),
});

export const productItemSchema = z.strictObject({ id: nameText, reference: nameText.nullish() });
