/** The statements of `npm run admin`, as text: `wrangler d1 execute` takes no parameters. */

/** What becomes a literal. Nothing else is ever put into a statement. */
export type SqlValue = string | number | null;

/**
 * A value as SQLite reads it back unchanged. In SQL's string literals the quote is the only character with a meaning; a
 * NUL would end the text.
 * @throws Error for what has no literal: NUL, half of a surrogate pair, a number that is not whole.
 */
export function sqlLiteral(value: SqlValue): string {
  if (value === null) return "NULL";
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new Error("only whole numbers are written");
    return String(value);
  }
  if (value.includes("\0") || !value.isWellFormed())
    throw new Error("a text with NUL or half a character is not written");
  return `'${value.replaceAll("'", "''")}'`;
}

/** A statement whose places in the template are literals. */
export function sql(texts: TemplateStringsArray, ...values: readonly SqlValue[]): string {
  return texts.map((text, i) => (i < values.length ? text + sqlLiteral(values[i] ?? null) : text)).join("");
}
