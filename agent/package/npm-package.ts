/** The npm package `weir-agent`: one bundle a thread, the library with its types, unit and sample. */
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { sampleText } from "../config/sample.ts";
import type { Product } from "./product.ts";
import { npmUnit } from "./unit.ts";

const NODE_MAJOR = 24;

/** One of the package's files, as an entry names it. */
const fileIn = (name: string) => JSON.stringify(`./${name}.js`);

/** Sets `needed`: null, or what this Node lacks, in words. */
const NODE_NEEDED = `const { version, execPath, versions } = process;
const isOld = Number(versions.node.split(".")[0]) < ${NODE_MAJOR};
const needed = isOld ? \`needs Node ${NODE_MAJOR} or later, this is \${version} (\${execPath})\` : null;`;

/**
 * Writes the package into a folder, which is emptied first, and packs it beside it.
 * @returns the packed file's path.
 */
export async function writeNpmPackage(product: Product, out: string): Promise<string> {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  await bundle(product, out);
  writeEntries(product, out);
  const types = readFileSync(join(product.root, "agent/library/types.ts"), "utf8");
  writeFileSync(join(out, "index.d.ts"), `${types}\nexport declare const openAgent: OpenAgent;\n`);
  writeFileSync(join(out, "weir-agent.sample.toml"), sampleText());
  writeFileSync(join(out, "weir-agent.service"), npmUnit(product));
  copyFileSync(join(product.root, "LICENSE"), join(out, "LICENSE"));
  copyFileSync(join(product.root, "agent/package/README.md"), join(out, "README.md"));
  writeFileSync(join(out, "package.json"), `${JSON.stringify(manifestOf(product), null, 2)}\n`);
  // By the npm that runs this; what it packs is what `files` names.
  execFileSync("npm", ["pack", "--silent", "--pack-destination", dirname(out)], {
    cwd: out,
    stdio: ["ignore", "ignore", "inherit"],
  });
  return join(dirname(out), `weir-agent-${product.version}.tgz`);
}

async function bundle({ root }: Product, outdir: string): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: {
      main: "agent/main.ts",
      "log-thread": "agent/buffer/thread.ts",
      library: "agent/library/open-agent.ts",
    },
    outdir,
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    // CommonJS dependencies ask for Node's own modules by `require`.
    banner: {
      js: 'import { createRequire as weirRequire } from "node:module";const require = weirRequire(import.meta.url);',
    },
    logLevel: "warning",
  });
}

/** The entries import nothing themselves: an older Node must come as far as saying what is needed. */
function writeEntries({ start: { environment, flags } }: Product, out: string): void {
  writeFileSync(
    join(out, "weir-agent.js"),
    `#!/usr/bin/env -S ${environment.join(" ")} node ${flags.join(" ")}
${NODE_NEEDED}
if (needed === null) {
  const { start } = await import(${fileIn("main")});
  await start();
} else {
  console.error("weir-agent: " + needed);
  process.exitCode = 1;
}
`,
  );
  chmodSync(join(out, "weir-agent.js"), 0o755);
  writeFileSync(
    join(out, "index.js"),
    `${NODE_NEEDED}
if (needed !== null) throw new Error("weir-agent: " + needed);
export const { openAgent } = await import(${fileIn("library")});
`,
  );
}

function manifestOf({ version, license }: Product) {
  return {
    name: "weir-agent",
    version,
    description: "Takes usage events beside a service, keeps them on disk, delivers each exactly once to a Weir edge.",
    license,
    type: "module",
    engines: { node: `>=${NODE_MAJOR}` },
    bin: { "weir-agent": "weir-agent.js" },
    exports: { ".": { types: "./index.d.ts", default: "./index.js" } },
    files: ["*.js", "index.d.ts", "weir-agent.sample.toml", "weir-agent.service", "LICENSE", "README.md"],
  };
}
