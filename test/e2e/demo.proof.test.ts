import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { spawnNode } from "../../tools/processes/node-process.ts";

it("the demo rides out a cut line and two kills and ends with three equal ledgers", async () => {
  const demo = spawnNode(fileURLToPath(new URL("../../tools/demo/main.ts", import.meta.url)));
  const { code } = await demo.exited;
  expect(code, demo.stdout() + demo.stderr()).toBe(0);
  expect(demo.stdout()).toMatch(/accepted\s+10,000\s+10,000\s+10,000/);
});
