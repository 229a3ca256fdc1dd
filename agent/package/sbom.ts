/** What is inside an executable, as CycloneDX JSON. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Bundle } from "./executable.ts";
import type { Product } from "./product.ts";

interface Component {
  readonly name: string;
  readonly version: string;
  readonly "bom-ref": string;
}

interface Sbom {
  serialNumber?: string;
  metadata: { timestamp: string; component: object };
  components: Component[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

/**
 * npm's own list from the lock file, without what only the edge and the tools use: the packages that the bundle has code of,
 * and Node.
 * @param madeAtS its date, in seconds since 1970.
 */
export function writeSbom(product: Product, bundle: Bundle, madeAtS: number): string {
  const args = ["sbom", "--sbom-format", "cyclonedx", "--package-lock-only"];
  const sbom = JSON.parse(execFileSync("npm", args, { cwd: product.root, encoding: "utf8" })) as Sbom;
  const inside = packagesIn(product, bundle);
  sbom.components = sbom.components.filter(({ name, version }) => inside.has(`${name}@${version}`));
  const listed = new Set(sbom.components.map(({ name, version }) => `${name}@${version}`));
  const unlisted = [...inside].filter((name) => !listed.has(name));
  if (unlisted.length > 0) throw new Error(`npm's list lacks ${unlisted.join(", ")}`);
  const refs = new Set(sbom.components.map((component) => component["bom-ref"]));
  const node = nodeComponent(product.nodeVersion);
  const self = `weir-agent@${product.version}`;
  sbom.components.push(node);
  sbom.dependencies = [
    { ref: self, dependsOn: [...refs, node["bom-ref"]].sort() },
    ...sbom.dependencies
      .filter(({ ref }) => refs.has(ref))
      .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => refs.has(other)) })),
  ];
  // Drawn anew each time, and not required.
  delete sbom.serialNumber;
  const { version, license } = product;
  sbom.metadata.timestamp = new Date(madeAtS * 1000).toISOString();
  sbom.metadata.component = {
    ...{ "bom-ref": self, type: "application", name: "weir-agent", version },
    ...{ purl: `pkg:npm/weir-agent@${version}`, licenses: [{ license: { id: license } }] },
  };
  return `${JSON.stringify(sbom, null, 2)}\n`;
}

/** `NAME@VERSION` of each package that the bundle has code of. */
export function packagesIn(product: Product, bundle: Pick<Bundle, "inputs">): ReadonlySet<string> {
  return new Set(
    foldersIn(bundle).map((folder) => {
      const { name, version } = JSON.parse(readFileSync(join(product.root, folder, "package.json"), "utf8"));
      return `${name}@${version}`;
    }),
  );
}

/** The licences of the packages that the bundle has code of, each under its folder's name. */
export function licensesOf({ root }: Product, bundle: Pick<Bundle, "inputs">): string {
  return foldersIn(bundle)
    .flatMap((folder) => {
      const files = readdirSync(join(root, folder)).filter((name) => /^(licen[cs]e|notice)/i.test(name));
      return files.map((name) => `${folder}${name}\n\n${readFileSync(join(root, folder, name), "utf8").trim()}\n`);
    })
    .join(`\n${"-".repeat(80)}\n\n`);
}

function foldersIn({ inputs }: Pick<Bundle, "inputs">): string[] {
  const folders = inputs.map((input) => /.*node_modules\/(?:@[^/]+\/)?[^/]+\//.exec(input)?.[0]);
  return [...new Set(folders.filter((folder) => folder !== undefined))].sort();
}

function nodeComponent(version: string) {
  return {
    ...{ "bom-ref": `node@${version}`, type: "platform", name: "node", version, purl: `pkg:generic/node@${version}` },
    cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`,
    licenses: [{ license: { id: "MIT" } }],
  };
}
