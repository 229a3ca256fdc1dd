/** The agent's executable, made for a test, and what it is started with. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nativeArchitecture } from "../../../agent/package/executable.ts";
import { readProduct } from "../../../agent/package/product.ts";

const BUILD = fileURLToPath(new URL("../../../agent/package/build.ts", import.meta.url));

/** Why there is none for this machine; null where there is. */
export const NO_EXECUTABLE =
  nativeArchitecture() === null ? `there is no executable for ${process.platform} on ${process.arch}` : null;

/** Builds it into a folder, as `npm run package -- --executable` does. */
export function buildExecutable(folder: string): string {
  const architecture = nativeArchitecture();
  if (architecture === null) throw new Error(NO_EXECUTABLE ?? "");
  execFileSync(process.execPath, [BUILD, folder, "--executable", "--architecture", architecture]);
  return join(folder, `weir-agent-${readProduct().version}-linux-${architecture}`);
}

/** As its unit and its container have it: glibc's settings by name. */
export const EXECUTABLE_ENV: Readonly<Record<string, string>> = Object.fromEntries(
  readProduct().start.environment.map((setting) => setting.split("=", 2)),
);
