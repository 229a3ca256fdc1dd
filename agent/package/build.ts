/** Makes the package `weir-agent` in dist/agent, and packs it: one bundle a thread, the library with its types, unit and sample. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { sampleText } from "../config/sample.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const OUT = process.argv[2] ?? join(ROOT, "dist/agent");
const NODE_MAJOR = 24;
/**
 * A drain of millions of events, and hostile bodies, stay below 150 MB with these. glibc alone would keep what large bodies
 * took for the next ones of their size.
 */
const MALLOC = "MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=131072";
const SHEBANG = `#!/usr/bin/env -S ${MALLOC} node --max-semi-space-size=1 --max-old-space-size=96 --v8-pool-size=1`;

/** One of the package's files, as an entry names it. */
const fileIn = (name: string) => JSON.stringify(`./${name}.js`);

/** Sets `needed`: null, or what this Node lacks, in words. */
const NODE_NEEDED = `const { version, execPath, versions } = process;
const isOld = Number(versions.node.split(".")[0]) < ${NODE_MAJOR};
const needed = isOld ? \`needs Node ${NODE_MAJOR} or later, this is \${version} (\${execPath})\` : null;`;

rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT, { recursive: true });
await build({
  absWorkingDir: ROOT,
  entryPoints: {
    main: "agent/main.ts",
    "log-thread": "agent/buffer/thread.ts",
    library: "agent/library/open-agent.ts",
  },
  outdir: OUT,
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
// The entries import nothing themselves: an older Node must come as far as saying what is needed. By its own name a
// program would not be known as the entry point behind npm's link.
writeFileSync(
  join(OUT, "weir-agent.js"),
  `${SHEBANG}
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
writeFileSync(
  join(OUT, "index.js"),
  `${NODE_NEEDED}
if (needed !== null) throw new Error("weir-agent: " + needed);
export const { openAgent } = await import(${fileIn("library")});
`,
);
chmodSync(join(OUT, "weir-agent.js"), 0o755);

const types = readFileSync(join(ROOT, "agent/library/types.ts"), "utf8");
writeFileSync(join(OUT, "index.d.ts"), `${types}\nexport declare const openAgent: OpenAgent;\n`);
writeFileSync(join(OUT, "weir-agent.sample.toml"), sampleText());
for (const file of ["agent/package/weir-agent.service", "LICENSE"]) {
  copyFileSync(join(ROOT, file), join(OUT, file.split("/").at(-1) ?? file));
}
copyFileSync(join(ROOT, "agent/package/README.md"), join(OUT, "README.md"));

const { version, license } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Record<string, string>;
const manifest = {
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
writeFileSync(join(OUT, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);

// By the npm that runs this; what it packs is what `files` names.
execFileSync("npm", ["pack", "--silent", "--pack-destination", dirname(OUT)], {
  cwd: OUT,
  stdio: ["ignore", "ignore", "inherit"],
});
const tarball = join(dirname(OUT), `${manifest.name}-${version}.tgz`);
const kilobytes = (path: string) => `${Math.ceil(statSync(path).size / 1000)} KB`;
const shown = (path: string) => relative(process.cwd(), path) || ".";
console.log(`${manifest.name} ${version}, for Node ${NODE_MAJOR} and newer, in ${shown(OUT)}:`);
for (const name of readdirSync(OUT)) console.log(`  ${name.padEnd(28)} ${kilobytes(join(OUT, name)).padStart(8)}`);
console.log(`packed: ${shown(tarball)} (${kilobytes(tarball)})`);
console.log(`install: npm install --global ${shown(tarball)}`);
