/** The OpenAPI document as the Worker serves it, for tests outside of one. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface DocumentText {
  readonly text: string;
  readonly paths: Readonly<Record<string, unknown>>;
}

export function readOpenApi(): DocumentText {
  const main = fileURLToPath(new URL("../../tools/openapi/main.ts", import.meta.url));
  const text = execFileSync(process.execPath, [main], { encoding: "utf8", maxBuffer: 16_000_000 });
  return { text, paths: (JSON.parse(text) as { paths: Record<string, unknown> }).paths };
}
