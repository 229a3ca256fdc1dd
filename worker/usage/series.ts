/** The unit of totals: one value, in one currency, under one subscription naming, with one set of properties. */
import { toHex } from "../../shared/identity.ts";
import { sha256OfText } from "../../shared/sha256.ts";
import { type Decimal, readJsonNumber } from "../pricing/decimal.ts";
import type { GivenProperty, GivenQuantity, Measure, SubscriptionNaming } from "./measure.ts";
import type { ReadFact } from "./usage-sql.ts";

export interface Series {
  readonly id: string | null;
  readonly reference: string | null;
  readonly currency: string | null;
  readonly subscription: SubscriptionNaming;
  readonly properties: readonly GivenProperty[];
}

/** A series as it is kept: its context whole, or where that is long its hash, so that many quantities share one text. */
type SeriesJson =
  | readonly [
      id: string | null,
      reference: string | null,
      currency: string | null,
      subscription: SubscriptionNaming,
      properties: readonly GivenProperty[],
    ]
  | readonly [id: string | null, reference: string | null, currency: string | null, hash: string];

/** JSON texts of contexts by their hashes. */
export type Contexts = Map<string, string>;

/** UTF-16 units of a context that stands in each of its series. */
const CONTEXT_INLINE_MAX = 300;
const HASH_BYTES = 16;

export const DAY_MS = 86_400_000;

export function dayOf(atMs: number): number {
  return Math.floor(atMs / DAY_MS);
}

export interface SeriesValue {
  /** JSON of a series: what totals are kept by. */
  readonly series: string;
  readonly value: Decimal;
}

/**
 * What a fact adds, series by series; a quantity beyond what Weir calculates with adds nothing.
 * @param contexts gets the fact's context where its series name that by a hash.
 */
export function seriesValues({ context, quantities }: ReadFact, contexts: Contexts): SeriesValue[] {
  const given: readonly GivenQuantity[] = JSON.parse(quantities);
  const tail = contextTail(context, contexts);
  return given.flatMap(([id, reference, currency, quantity]) => {
    const value = readJsonNumber(quantity);
    return value === null
      ? []
      : [{ series: `${JSON.stringify([id, reference, currency]).slice(0, -1)},${tail}`, value }];
  });
}

/** How a context ends the text of its series. */
function contextTail(context: string, contexts: Contexts): string {
  if (context.length <= CONTEXT_INLINE_MAX) {
    const [subscription, properties]: Measure["context"] = JSON.parse(context);
    return `${JSON.stringify(subscription)},${JSON.stringify(properties)}]`;
  }
  const hash = toHex(sha256OfText(context).subarray(0, HASH_BYTES));
  contexts.set(hash, context);
  return `"${hash}"]`;
}

/** The hash by which a series names its context; null where it holds it. */
export function contextHashOf(series: string): string | null {
  return /,"([0-9a-f]{32})"\]$/.exec(series)?.[1] ?? null;
}

/** @throws Error where its context is named by a hash that `contexts` does not have. */
export function seriesOf(text: string, contexts: ReadonlyMap<string, string>): Series {
  const [id, reference, currency, ...rest]: SeriesJson = JSON.parse(text);
  const [subscription, properties] = rest.length === 2 ? rest : contextBy(rest[0], contexts);
  return { id, reference, currency, subscription, properties };
}

function contextBy(hash: string, contexts: ReadonlyMap<string, string>): Measure["context"] {
  const context = contexts.get(hash);
  if (context === undefined) throw new Error(`no context has the hash ${hash}`);
  return JSON.parse(context);
}
