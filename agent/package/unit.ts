/** The systemd units: one text, filled in for the npm package and for the .deb. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Product } from "./product.ts";

/** The npm package's: a user made by systemd, the package in /opt/weir-agent, whatever Node is on the path. */
export function npmUnit(product: Product): string {
  const script = "/opt/weir-agent/node_modules/weir-agent/weir-agent.js";
  const node = `/usr/bin/env node ${product.start.flags.join(" ")}`;
  return filledIn(product, {
    USER: "DynamicUser=yes",
    COMMAND: `${node} ${script} run --config /etc/weir-agent/weir-agent.toml`,
  });
}

/** The .deb's: the package's own user, the executable, which has its flags inside. */
export function debUnit(product: Product): string {
  return filledIn(product, {
    USER: "User=weir-agent\nGroup=weir-agent",
    COMMAND: "/usr/bin/weir-agent run --config /etc/weir-agent/agent.toml",
  });
}

function filledIn({ root, start }: Product, words: Readonly<Record<"USER" | "COMMAND", string>>): string {
  const text = readFileSync(join(root, "agent/package/weir-agent.service"), "utf8");
  const all: Readonly<Record<string, string>> = { ...words, ENVIRONMENT: start.environment.join(" ") };
  return text.replace(/@([A-Z]+)@/g, (_, name: string) => {
    const word = all[name];
    if (word === undefined) throw new Error(`the unit names @${name}@, which nobody fills in`);
    return word;
  });
}
