/** Things that an event may name by id, by reference, or by both. */
import type { Index } from "./price-book.ts";

export interface Naming {
  readonly id: string | null;
  readonly reference: string | null;
}

export type NamedOutcome<T> =
  | { readonly kind: "unnamed" }
  | { readonly kind: "found"; readonly thing: T }
  /** @param by what named it, the id first. */
  | { readonly kind: "unknown"; readonly by: "id" | "reference" }
  /** The id names one thing and the reference another; or one of them names something, and the other, `unknown`, nothing. */
  | { readonly kind: "disagree"; readonly unknown: "id" | "reference" | null };

/** An empty name names nothing. */
export function namingOf(id: unknown, reference: unknown): Naming {
  return { id: nameOf(id), reference: nameOf(reference) };
}

export function findNamed<T>(index: Index<T>, { id, reference }: Naming): NamedOutcome<T> {
  if (id === null && reference === null) return { kind: "unnamed" };
  const byId = id === null ? undefined : index.byId.get(id);
  const byReference = reference === null ? undefined : index.byReference.get(reference);
  if (id !== null && reference !== null && byId !== byReference) {
    return { kind: "disagree", unknown: byId === undefined ? "id" : byReference === undefined ? "reference" : null };
  }
  const thing = byId ?? byReference;
  return thing === undefined ? { kind: "unknown", by: id === null ? "reference" : "id" } : { kind: "found", thing };
}

function nameOf(name: unknown): string | null {
  return typeof name === "string" && name !== "" ? name : null;
}
