/** `npm run package`: the npm package, and on demand one executable for each machine. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { Command } from "commander";
import { bundleExecutable, writeExecutable } from "./executable.ts";
import { ARCHITECTURES, type Architecture } from "./node-binary.ts";
import { writeNpmPackage } from "./npm-package.ts";
import { type Product, readProduct } from "./product.ts";

interface Flags {
  readonly executable: boolean;
  readonly architecture: Architecture | "all";
}

const shown = (path: string) => relative(process.cwd(), path) || ".";
const kilobytes = (path: string) => `${Math.ceil(statSync(path).size / 1000)} KB`;

async function npmPackage(product: Product, folder: string): Promise<void> {
  const tarball = await writeNpmPackage(product, folder);
  console.log(`weir-agent ${product.version}, for Node 24 and newer, in ${shown(folder)}:`);
  for (const name of readdirSync(folder)) {
    console.log(`  ${name.padEnd(28)} ${kilobytes(join(folder, name)).padStart(8)}`);
  }
  console.log(`packed: ${shown(tarball)} (${kilobytes(tarball)})`);
  console.log(`install: npm install --global ${shown(tarball)}`);
}

/** Says a file's name, size and SHA-256. */
function tell(path: string): void {
  const hash = createHash("sha256").update(readFileSync(path)).digest("hex");
  console.log(`${shown(path)}  ${(statSync(path).size / 1e6).toFixed(1)} MB  sha256 ${hash}`);
}

async function executables(product: Product, folder: string, architectures: readonly Architecture[]): Promise<void> {
  const bundle = await bundleExecutable(product);
  for (const architecture of architectures) {
    const path = join(folder, `weir-agent-${product.version}-linux-${architecture}`);
    writeExecutable(product, bundle, architecture, path);
    tell(path);
  }
}

const program = new Command("package")
  .description("Makes what the agent is installed from. Without a flag: the npm package.")
  .argument("[folder]", "where to; dist/agent for the npm package, else dist")
  .option("--executable", "one executable for Linux, Node inside, instead", false)
  .option("--architecture <name>", `${ARCHITECTURES.join(", ")} or all; another machine's Node comes from npm`, "amd64")
  .parse();
const flags = program.opts<Flags>();
const [folder] = program.args;
const product = readProduct();
const architectures = flags.architecture === "all" ? ARCHITECTURES : [flags.architecture];
if (flags.executable) await executables(product, folder ?? join(product.root, "dist"), architectures);
else await npmPackage(product, folder ?? join(product.root, "dist/agent"));
