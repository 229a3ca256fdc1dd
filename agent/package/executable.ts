/**
 * The agent as one executable, by Node's single executable applications: Node itself with the agent's code inside. The
 * log's thread is an asset in it, flags of V8 stand in it.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { type Architecture, nodeBinary } from "./node-binary.ts";
import type { Product } from "./product.ts";
import { tempDir } from "./temp-dir.ts";

/** Of Node: what marks an executable as one with an application inside. */
const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";
const RESOURCE = "NODE_SEA_BLOB";
/** What `getAsset` is asked for, see agent/buffer/engine.ts. */
const THREAD = "log-thread.js";

export interface Bundle {
  /** Code of the main thread and of the log's, as CommonJS: an executable takes nothing else. */
  readonly main: string;
  readonly thread: string;
  /** Source files in it, relative to the checkout. */
  readonly inputs: readonly string[];
}

/** Makes the code that goes into the executable. */
export async function bundleExecutable({ root, start }: Product): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: { main: "agent/package/executable-main.ts", "log-thread": "agent/buffer/thread.ts" },
    outdir: "out",
    write: false,
    metafile: true,
    bundle: true,
    minifySyntax: true,
    minifyWhitespace: true,
    platform: "node",
    target: "node24",
    format: "cjs",
    define: {
      WEIR_ENVIRONMENT: JSON.stringify(start.environment),
      // The entry is another file, and nothing is looked up beside it.
      "import.meta.main": "false",
      "import.meta.url": '"file:///"',
    },
    logLevel: "warning",
  });
  const textOf = (name: string) => outputFiles.find(({ path }) => path.endsWith(`/${name}.js`))?.text ?? "";
  return { main: textOf("main"), thread: textOf("log-thread"), inputs: Object.keys(metafile.inputs) };
}

/**
 * Writes the executable; it is there whole or not at all.
 * @throws where Node or postject refuse, or the registry has to be asked for a Node and cannot be reached.
 */
export function writeExecutable(product: Product, bundle: Bundle, architecture: Architecture, out: string): void {
  const temp = tempDir("weir-executable");
  try {
    const blob = makeBlob(product, bundle, architecture, temp.path);
    mkdirSync(dirname(out), { recursive: true });
    const part = join(temp.path, "executable");
    copyFileSync(nodeBinary(product, architecture), part);
    chmodSync(part, 0o755);
    const postject = createRequire(import.meta.url).resolve("postject/dist/cli.js");
    // What it says of section names, on success too, is of no use to anybody.
    execFileSync(process.execPath, [postject, part, RESOURCE, blob, "--sentinel-fuse", FUSE], { stdio: "pipe" });
    const wrong = whatIsWrong(readFileSync(part), architecture, readFileSync(blob));
    if (wrong !== null) throw new Error(`the executable for ${architecture} is no good: ${wrong}`);
    copyFileSync(part, `${out}.part`);
    renameSync(`${out}.part`, out);
  } finally {
    temp.remove();
  }
}

/** ELF's numbers of machines. */
const MACHINES: Readonly<Record<Architecture, number>> = { amd64: 0x3e, arm64: 0xb7 };

/**
 * Looks at an executable without running it, for it may be another machine's.
 * @returns why it could not run there as the agent; null where it could.
 */
export function whatIsWrong(executable: Buffer, architecture: Architecture, blob: Buffer): string | null {
  if (executable.subarray(0, 5).toString("latin1") !== "\u007fELF\u0002") return "it is no ELF of 64 bits";
  const machine = executable.readUInt16LE(18);
  if (machine !== MACHINES[architecture]) return `its machine is ${machine}`;
  if (!executable.includes(`${FUSE}:1`)) return "Node would not look for an application in it";
  return executable.includes(blob) ? null : "the application is not in it";
}

/** @returns the path of what Node reads at its start: code, flags, assets. */
function makeBlob(product: Product, { main, thread }: Bundle, architecture: Architecture, folder: string): string {
  const native = nativeArchitecture();
  const output = join(folder, "blob");
  const at = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const config = {
    main: at("main.js", main),
    output,
    disableExperimentalSEAWarning: true,
    // Compiled code fits the machine that compiled it, and V8's flags.
    useCodeCache: architecture === native,
    useSnapshot: false,
    execArgv: product.start.flags,
    assets: { [THREAD]: at(THREAD, thread) },
  };
  const file = at("sea.json", JSON.stringify(config));
  // By the very Node that it goes into, where that runs here.
  const node = native === null ? process.execPath : nodeBinary(product, native);
  execFileSync(node, [...product.start.flags, "--experimental-sea-config", file], { stdio: "pipe" });
  if (!readFileSync(output).includes(thread)) throw new Error("the blob lacks the log's thread");
  return output;
}

/** This machine's; null where there is no executable for it. */
export function nativeArchitecture(): Architecture | null {
  if (process.platform !== "linux") return null;
  return process.arch === "x64" ? "amd64" : process.arch === "arm64" ? "arm64" : null;
}
