/** The producers that a key may send under: names, or prefixes that end in an asterisk (`plant-7.*`). */

/** A producer's name, or the beginning of names. */
export const PRODUCER_ENTRY = /^(?:[A-Za-z0-9._-]{1,128}|[A-Za-z0-9._-]{0,127}\*)$/;

/** Whether a list covers a name, or a prefix as a whole. */
export function coversProducer(list: readonly string[], wanted: string): boolean {
  return list.some((entry) => (entry.endsWith("*") ? wanted.startsWith(entry.slice(0, -1)) : entry === wanted));
}
