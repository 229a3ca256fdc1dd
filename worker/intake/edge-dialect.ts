/** A dialect as the edge speaks it: with the rules that a tenant's catalog makes. */
import type { Dialect, Reason, StreamRules } from "../../shared/intake/dialect.ts";
import type { Fields } from "../../shared/json/span.ts";
import type { LoadedCatalog } from "../catalog/catalogs.ts";
import type { ReprocessGroup } from "../ledger/plan.ts";
import type { Measure } from "../usage/measure.ts";

export interface EdgeRules<R> extends StreamRules<R> {
  /** What a valid event adds to the usage that is priced; null for nothing. */
  readonly measure: (event: Fields) => Measure | null;
  /** The reprocessing group of an event. */
  readonly group: (event: Fields) => ReprocessGroup | null;
}

export interface EdgeDialect<R extends Reason> extends Dialect<R> {
  /** Null for a stream that this catalog does not have. */
  rulesBy(catalog: LoadedCatalog): EdgeRules<R> | null;
}
