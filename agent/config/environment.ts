/** `${NAME}` in a configuration's texts stands for the environment variable NAME; `$${` is a plain `${`. */

export type Environment = Readonly<Record<string, string | undefined>>;

const REFERENCE = /\$\$\{|\$\{([^}]*)\}/g;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Puts the variables into every text of a parsed file. Keys and numbers are left as they are; what a variable holds is
 * taken as it is, and never looked through for further references.
 * @param report told of each reference that cannot be resolved, with the path of keys to it.
 */
export function fillIn(
  value: unknown,
  env: Environment,
  report: (where: string, message: string) => void,
  where: readonly string[] = [],
): unknown {
  if (typeof value === "string") return fillText(value, env, (message) => report(where.join("."), message));
  if (Array.isArray(value)) return value.map((item) => fillIn(item, env, report, where));
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, fillIn(member, env, report, [...where, key])]),
  );
}

function fillText(text: string, env: Environment, report: (message: string) => void): string {
  return text.replace(REFERENCE, (found, name?: string) => {
    if (name === undefined) return "${";
    const value = NAME.test(name) ? env[name] : undefined;
    if (value !== undefined) return value;
    if (NAME.test(name)) report(`the environment variable ${name} is not set`);
    else report(`${found} names no environment variable; write $$\{ for a plain $\{`);
    return found;
  });
}
