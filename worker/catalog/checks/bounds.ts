/** A catalog within what its tenant may name: it gives nobody a way to a meter that is another's. */
import { type ValidationError, validationError } from "../../../shared/events/validation-error.ts";
import { type Bounds, isWithin } from "../../tenants/bounds.ts";
import type { Catalog } from "../schema/document.ts";

/** A stream needs its meter's global id on the tenant's list, a meter its id or its reference. */
export function boundsErrors({ streams, meters }: Catalog, { meters: allowed }: Bounds): ValidationError[] {
  const why = "the tenant may not use this meter";
  return [
    ...streams.flatMap(({ meter_global_id }, i) =>
      isWithin(allowed, meter_global_id) ? [] : [validationError(why, { field: `streams.${i}.meter_global_id` })],
    ),
    ...meters.flatMap(({ id, reference }, i) =>
      isWithin(allowed, id) || isWithin(allowed, reference) ? [] : [validationError(why, { field: `meters.${i}.id` })],
    ),
  ];
}
