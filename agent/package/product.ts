/** What every form of the agent is made from: the checkout, its version and how it is started. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readStartSettings, type StartSettings } from "./start-settings.ts";

export interface Product {
  /** The checkout. */
  readonly root: string;
  readonly version: string;
  readonly license: string;
  /** Of the Node that goes into the executables: the one this project pins. */
  readonly nodeVersion: string;
  readonly start: StartSettings;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Reads package.json. */
export function readProduct(): Product {
  const text = readFileSync(join(ROOT, "package.json"), "utf8");
  const { version, license, devDependencies } = JSON.parse(text) as {
    version: string;
    license: string;
    devDependencies: { node: string };
  };
  return { root: ROOT, version, license, nodeVersion: devDependencies.node, start: readStartSettings(text) };
}
