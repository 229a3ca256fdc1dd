/** How `npm run agent` starts Node, read from the script itself: what is measured is what is run. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const { scripts } = JSON.parse(readFileSync(`${ROOT}/package.json`, "utf8")) as { scripts: { agent: string } };
const [settings = "", command = ""] = scripts.agent.split("exec node ");

export const AGENT_ENV: Readonly<Record<string, string>> = Object.fromEntries(
  settings
    .trim()
    .split(" ")
    .map((setting) => setting.split("=", 2))
    .map(([name = "", value = ""]) => [name, name === "NODE_COMPILE_CACHE" ? `${ROOT}/${value}` : value]),
);

/** Of Node itself. */
export const AGENT_FLAGS: readonly string[] = command.split(" ").filter((word) => word.startsWith("--"));
