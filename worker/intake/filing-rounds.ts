/** Files a request by the catalog it was checked with, and again by a newer one where that changed meanwhile. */
import type { LoadedCatalog } from "../catalog/catalogs.ts";

/** How often a request is checked anew because the catalog changed under it. */
const CATALOG_ROUNDS_MAX = 4;

/**
 * @param attempt files by the catalog given; "catalog-changed" asks for another round with a fresh one.
 * @returns null where the catalog kept changing.
 */
export async function untilCatalogStands<T>(
  first: LoadedCatalog,
  reload: () => Promise<LoadedCatalog>,
  attempt: (catalog: LoadedCatalog) => Promise<T | "catalog-changed">,
): Promise<T | null> {
  let catalog = first;
  for (let round = 0; round < CATALOG_ROUNDS_MAX; round++) {
    const outcome = await attempt(catalog);
    if (outcome !== "catalog-changed") return outcome;
    catalog = await reload();
  }
  return null;
}
