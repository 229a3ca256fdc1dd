/** A document with errors of shape, less what is wrong: enough to look for errors of sense in the rest. */
import type { z } from "zod";

export type Path = readonly PropertyKey[];

/** Takes down one error of the document. */
export type Complain = (path: Path, message: string) => void;

/** A value of which any part may be missing. */
export type Sound<T> = T extends readonly (infer Member)[]
  ? readonly (Sound<Member> | undefined)[]
  : T extends object
    ? { readonly [Key in keyof T]?: Sound<T[Key]> | undefined }
    : T;

/**
 * A copy of the document without the values that the issues name.
 * @param issues all of a parse by T's schema, so that what is left has T's types wherever it is there.
 */
export function soundPart<T extends object>(document: unknown, issues: readonly z.core.$ZodIssue[]): Sound<T> {
  if (issues.some(({ path, code }) => path.length === 0 && code !== "unrecognized_keys")) return {} as Sound<T>;
  const copy: unknown = structuredClone(document);
  for (const { path, code } of issues) {
    // An unknown field stands beside sound ones; it is never looked at.
    if (code !== "unrecognized_keys") blank(copy, path);
  }
  return copy as Sound<T>;
}

/** Whether a field was taken out because of its error, and not just left out by whoever wrote the document. */
export function isInvalid<T extends object>(holder: T, key: keyof T): boolean {
  return Object.hasOwn(holder, key) && holder[key] === undefined;
}

function blank(root: unknown, path: Path): void {
  let holder = root;
  for (const key of path.slice(0, -1)) holder = isKeyed(holder) ? holder[key] : undefined;
  const last = path.at(-1);
  if (isKeyed(holder) && last !== undefined) holder[last] = undefined;
}

function isKeyed(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === "object" && value !== null;
}
