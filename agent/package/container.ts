/** The folder that a container's image is built from. */
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Architecture } from "./node-binary.ts";
import type { Product } from "./product.ts";

/** Writes it anew: the Containerfile, the executables it copies, and an empty folder that becomes the volume. */
export function writeContainerFolder(
  product: Product,
  executables: ReadonlyMap<Architecture, string>,
  out: string,
): void {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(join(out, "state"), { recursive: true });
  chmodSync(join(out, "state"), 0o700);
  writeFileSync(join(out, "Containerfile"), containerfile(product));
  // `docker build` looks for this name.
  writeFileSync(join(out, "Dockerfile"), containerfile(product));
  for (const [architecture, path] of executables) copyFileSync(path, join(out, `weir-agent-${architecture}`));
}

/** @returns its text, with the settings of glibc that every agent is started with. */
export function containerfile({ root, start }: Product): string {
  return readFileSync(join(root, "agent/package/container/Containerfile"), "utf8").replace(
    "@ENVIRONMENT@",
    start.environment.join(" "),
  );
}
