/** Copies of the product, to break on purpose. */
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Puts these of the product's files and folders into a folder, beside the same node_modules. */
export function copyProduct(folder: string, names: readonly string[]): void {
  for (const name of names) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
}

/** @throws Error where the text does not stand in the file exactly once. */
export function replaceOnce(path: string, find: string, replace: string): void {
  const source = readFileSync(path, "utf8");
  if (source.split(find).length !== 2) throw new Error(`${path} does not hold this text once:\n${find}`);
  writeFileSync(
    path,
    source.replace(find, () => replace),
  );
}
