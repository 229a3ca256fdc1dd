/** What goes into the executable, without making it. */
import { Script } from "node:vm";
import { expect, test } from "vitest";
import { bundleExecutable } from "../../../agent/package/executable.ts";
import { readProduct } from "../../../agent/package/product.ts";
import { readStartSettings } from "../../../agent/package/start-settings.ts";
import { AGENT_ENV, AGENT_FLAGS } from "../support/npm-agent.ts";

test("the executable's code is whole and asks for nothing but Node's own modules", async () => {
  const bundle = await bundleExecutable(readProduct());
  for (const code of [bundle.main, bundle.thread]) {
    const asked = [...code.matchAll(/\brequire\("([^"]+)"\)/g)].map(([, name = ""]) => name);
    expect(asked).toContain("node:sqlite");
    expect(asked.filter((name) => process.getBuiltinModule(name) === undefined)).toEqual([]);
    expect(() => new Script(`(function () {${code}\n})`)).not.toThrow();
  }
  expect(bundle.inputs).toContain("agent/buffer/thread.ts");
  // glibc's settings, for an executable that is started without them.
  for (const setting of readProduct().start.environment) expect(bundle.main).toContain(`"${setting}"`);
});

test("every form of the agent is started as `npm run agent` is, by the words of package.json", () => {
  const { environment, flags } = readProduct().start;
  expect(flags).toEqual(AGENT_FLAGS);
  const { NODE_COMPILE_CACHE: _, ...settings } = AGENT_ENV;
  expect(Object.fromEntries(environment.map((setting) => setting.split("=", 2)))).toEqual(settings);
  expect(() => readStartSettings('{"scripts":{"agent":"node agent/main.ts"}}')).toThrow("script `agent`");
});
