/** An agent that delivers straight to a vendor: the twin, or the scripted destination in its place. */
import { writeFileSync } from "node:fs";
import { onTestFinished } from "vitest";
import { tempDir } from "../../../tools/processes/temp-dir.ts";
import type { TwinOptions } from "../../../tools/twin/twin.ts";
import { setupTwin } from "../../twin/setup.ts";
import { type Setup, type SetupOptions, setup } from "./setup.ts";

export type Twin = Awaited<ReturnType<typeof setupTwin>>;

export interface VendorSetup {
  readonly agent: Setup;
  readonly twin: Twin;
  /** The source texts that the twin took, in order of arrival. */
  taken(stream?: string): Promise<string[]>;
}

/** The lines of `[destination]` for Zuora's client at the twin. */
export function zuoraLines(url: string, secret = "twin-secret"): string {
  const secrets = tempDir("weir-zuora");
  onTestFinished(() => secrets.remove());
  writeFileSync(`${secrets.path}/secret`, `${secret}\n`);
  return `url = "${url}"\ndialect = "zuora"\nclient_id = "twin-client"\nclient_secret_file = "${secrets.path}/secret"`;
}

/** The lines of `[destination]` for Solvimon's key at the twin. */
export function solvimonLines(url: string): string {
  return `url = "${url}"\ndialect = "solvimon"\napi_key_env = "TWIN_KEY"`;
}

export async function vendorSetup(
  dialect: "zuora" | "solvimon",
  options: { readonly twin?: TwinOptions; readonly agent?: SetupOptions } = {},
): Promise<VendorSetup> {
  const twin = await setupTwin(options.twin);
  const lines = dialect === "zuora" ? zuoraLines : solvimonLines;
  const agent = await setup({ ...options.agent, destination: lines(twin.url) });
  onTestFinished(() => agent[Symbol.asyncDispose]());
  const taken = async (stream?: string) => {
    const listed = await twin.lines(`?exact=1${stream === undefined ? "" : `&stream=${encodeURIComponent(stream)}`}`);
    return listed.map((line) => (JSON.parse(line) as { source: string }).source);
  };
  return { agent, twin, taken };
}
