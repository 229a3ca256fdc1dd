/** The catalog document of a tenant: its shape, and all that is wrong with one. */
import { z } from "zod";
import { streamSchema } from "../../shared/events/stream-schema.ts";
import { type Fault, validationFault } from "../../shared/fault.ts";

export const catalogSchema = z
  .strictObject({
    settings: z.strictObject({ catalog: z.enum(["pass", "strict"]) }).default({ catalog: "pass" }),
    streams: z.array(streamSchema).max(10_000).default([]),
  })
  .superRefine((catalog, context) => {
    const seen = new Set<string>();
    catalog.streams.forEach((stream, i) => {
      const complain = (path: (string | number)[], message: string) =>
        context.addIssue({ code: "custom", path: ["streams", i, ...path], message });
      if (seen.has(stream.meter_global_id)) complain(["meter_global_id"], "stands twice");
      seen.add(stream.meter_global_id);
      const types = new Map<string, string>();
      (stream.fields ?? []).forEach((field, n) => {
        if (types.has(field.name)) complain(["fields", n, "name"], "stands twice");
        types.set(field.name, field.type);
      });
      if (stream.fields === undefined) return;
      const idType = types.get(stream.event_id_field ?? "");
      if (idType === "boolean") complain(["event_id_field"], "must name a string or number field");
      const timeType = stream.event_time_field === undefined ? "date-time" : types.get(stream.event_time_field);
      if (timeType !== "date-time") complain(["event_time_field"], "must name a date-time field");
    });
  });

export type Catalog = z.infer<typeof catalogSchema>;

export type CatalogOutcome =
  | { readonly kind: "catalog"; readonly catalog: Catalog }
  | { readonly kind: "faults"; readonly faults: Fault[] };

/** Checks a whole document; lists every fault with its dotted path. */
export function checkCatalog(document: unknown): CatalogOutcome {
  const parsed = catalogSchema.safeParse(document);
  if (parsed.success) return { kind: "catalog", catalog: parsed.data };
  const faults = parsed.error.issues.flatMap((issue) => {
    const names = issue.code === "unrecognized_keys" ? issue.keys : [null];
    return names.map((name) => {
      const field = [...issue.path, ...(name === null ? [] : [name])].join(".");
      const message = name === null ? issue.message : "is not a field of the catalog";
      return validationFault(field === "" ? message : `${field}: ${message}`, field === "" ? {} : { field });
    });
  });
  return { kind: "faults", faults };
}
