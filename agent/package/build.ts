/** `npm run package`: what the agent is installed from. Says what it wrote, with sizes and SHA-256. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { Command, Option } from "commander";
import { writeContainerFolder } from "./container.ts";
import { writeDeb } from "./deb.ts";
import { type Bundle, bundleExecutable, writeExecutable } from "./executable.ts";
import { ARCHITECTURES, type Architecture } from "./node-binary.ts";
import { writeNpmPackage } from "./npm-package.ts";
import { type Product, readProduct } from "./product.ts";
import { licensesOf, writeSbom } from "./sbom.ts";

interface Flags {
  readonly executable: boolean;
  readonly deb: boolean;
  readonly all: boolean;
  readonly architecture: Architecture | "all";
}

const shown = (path: string) => relative(process.cwd(), path) || ".";
const kilobytes = (path: string) => `${Math.ceil(statSync(path).size / 1000)} KB`;

async function npmPackage(product: Product, folder: string): Promise<string> {
  const tarball = await writeNpmPackage(product, folder);
  console.log(`weir-agent ${product.version}, for Node 24 and newer, in ${shown(folder)}:`);
  for (const name of readdirSync(folder)) {
    console.log(`  ${name.padEnd(28)} ${kilobytes(join(folder, name)).padStart(8)}`);
  }
  console.log(`packed: ${shown(tarball)} (${kilobytes(tarball)})`);
  console.log(`install: npm install --global ${shown(tarball)}`);
  return tarball;
}

/** Writes the executables and what is made of them. @returns the files, without folders. */
async function withoutNode(product: Product, folder: string, { deb, all, architecture }: Flags): Promise<string[]> {
  const bundle = await bundleExecutable(product);
  const madeAtS = commitTimeS(product);
  const architectures = architecture === "all" ? ARCHITECTURES : [architecture];
  const executables = new Map<Architecture, string>();
  for (const one of architectures) executables.set(one, executable(product, bundle, one, folder));
  const files = [...executables.values()];
  const sbom = writeSbom(product, bundle, madeAtS);
  const list = join(folder, `weir-agent-${product.version}.cdx.json`);
  writeFileSync(list, sbom);
  if (deb || all) {
    const licenses = licensesOf(product, bundle);
    for (const [one, path] of executables) {
      const out = join(folder, `weir-agent_${product.version}_${one}.deb`);
      writeDeb(product, { architecture: one, executable: path, sbom, licenses, madeAtS }, out);
      files.push(out);
    }
  }
  if (all) {
    writeContainerFolder(product, executables, join(folder, "container"));
    console.log(`container: docker build --tag weir-agent ${shown(join(folder, "container"))}`);
  }
  return [...files, list];
}

function executable(product: Product, bundle: Bundle, architecture: Architecture, folder: string): string {
  const path = join(folder, `weir-agent-${product.version}-linux-${architecture}`);
  writeExecutable(product, bundle, architecture, path);
  return path;
}

/** Whoever builds a version again gets the same dates. */
function commitTimeS({ root }: Product): number {
  const given = process.env["SOURCE_DATE_EPOCH"];
  if (given !== undefined) return Number(given);
  try {
    return Number(execFileSync("git", ["log", "-1", "--format=%ct"], { cwd: root, stdio: "pipe", encoding: "utf8" }));
  } catch {
    // No checkout of git's: a folder that was copied.
    return Math.floor(statSync(join(root, "package.json")).mtimeMs / 1000);
  }
}

/** Says each file's size and SHA-256, and writes these down beside them. */
function tell(files: readonly string[]): void {
  const sums = files.map((path) => {
    const hash = createHash("sha256").update(readFileSync(path)).digest("hex");
    console.log(`${hash}  ${shown(path)} (${(statSync(path).size / 1e6).toFixed(1)} MB)`);
    return `${hash}  ${basename(path)}\n`;
  });
  const [first = ""] = files;
  writeFileSync(join(dirname(first), "SHA256SUMS"), sums.join(""));
  console.log(`check them with: sha256sum --check SHA256SUMS`);
}

const program = new Command("package")
  .description("Makes what the agent is installed from. Without a flag: the npm package.")
  .argument("[folder]", "where to; dist/agent for the npm package alone, else dist")
  .option("--executable", "one executable for Linux, Node inside, and the list of what is in it", false)
  .option("--deb", "that and a Debian package of it", false)
  .option("--all", "that, the npm package and a folder to build a container from", false)
  .addOption(
    new Option("--architecture <name>", "another machine's Node comes from npm")
      .choices([...ARCHITECTURES, "all"])
      .default("amd64"),
  )
  .parse();
const flags = program.opts<Flags>();
const [given] = program.args;
const product = readProduct();
if (flags.executable || flags.deb || flags.all) {
  const folder = given ?? join(product.root, "dist");
  mkdirSync(folder, { recursive: true });
  const packed = flags.all ? [await npmPackage(product, join(folder, "agent"))] : [];
  tell([...packed, ...(await withoutNode(product, folder, flags))]);
} else {
  await npmPackage(product, given ?? join(product.root, "dist/agent"));
}
