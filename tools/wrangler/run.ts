/** Runs the installed wrangler, without a shell between. */
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { ROOT } from "./configuration.ts";

/** Of its output, kept for who reads it; the beginning is dropped. */
const OUTPUT_CHARACTERS_MAX = 10_000_000;

export interface WranglerResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param args as `WRANGLER` makes them. */
export type RunWrangler = (args: readonly string[], options: WranglerOptions) => Promise<WranglerResult>;

export interface WranglerOptions {
  /** Whether a person sees what it prints, and may answer it. */
  readonly isShown: boolean;
}

/** Its file for the Node that runs this. */
export function wranglerScript(): string {
  return join(dirname(createRequire(import.meta.url).resolve("wrangler/package.json")), "bin/wrangler.js");
}

/** Runs it in the project's folder and waits for its end. A signal to this process is passed on to it. */
export const runWrangler: RunWrangler = async (args, { isShown }) => {
  const child = spawn(process.execPath, [wranglerScript(), ...args], {
    cwd: ROOT,
    stdio: [isShown ? "inherit" : "ignore", "pipe", "pipe"],
    env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
  });
  const passOn = (signal: NodeJS.Signals) => child.kill(signal);
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, passOn);
  const stdout = kept(child.stdout, isShown ? process.stdout : null);
  const stderr = kept(child.stderr, isShown ? process.stderr : null);
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (ended) => resolve(ended ?? 1));
    });
    return { code, stdout: stdout(), stderr: stderr() };
  } finally {
    for (const signal of signals) process.removeListener(signal, passOn);
  }
};

function kept(from: NodeJS.ReadableStream, shownOn: NodeJS.WritableStream | null): () => string {
  let text = "";
  from.setEncoding("utf8");
  from.on("data", (chunk: string) => {
    text = (text + chunk).slice(-OUTPUT_CHARACTERS_MAX);
    shownOn?.write(chunk);
  });
  return () => text;
}
