/** What goes into the executable, without making it. */
import { Script } from "node:vm";
import { expect, test } from "vitest";
import { bundleExecutable, whatIsWrong } from "../../../agent/package/executable.ts";
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

test("an executable of another machine, or without its application, is not handed out", () => {
  const blob = Buffer.from("an application");
  const fuse = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";
  const elf = (machine: number, fused: number, content: string) => {
    const header = Buffer.alloc(64);
    header.write("\u007fELF\u0002", "latin1");
    header.writeUInt16LE(machine, 18);
    return Buffer.concat([header, Buffer.from(`${fuse}:${fused} ${content}`)]);
  };
  expect(whatIsWrong(elf(0xb7, 1, "an application"), "arm64", blob)).toBeNull();
  expect(whatIsWrong(elf(0x3e, 1, "an application"), "amd64", blob)).toBeNull();
  expect(whatIsWrong(elf(0x3e, 1, "an application"), "arm64", blob)).toContain("machine");
  expect(whatIsWrong(elf(0xb7, 0, "an application"), "arm64", blob)).toContain("look for");
  expect(whatIsWrong(elf(0xb7, 1, "nothing"), "arm64", blob)).toContain("not in it");
  expect(whatIsWrong(Buffer.from("#!/bin/sh and so on"), "amd64", blob)).toContain("no ELF");
});

test("every form of the agent is started as `npm run agent` is, by the words of package.json", () => {
  const { environment, flags } = readProduct().start;
  expect(flags).toEqual(AGENT_FLAGS);
  const { NODE_COMPILE_CACHE: _, ...settings } = AGENT_ENV;
  expect(Object.fromEntries(environment.map((setting) => setting.split("=", 2)))).toEqual(settings);
  expect(() => readStartSettings('{"scripts":{"agent":"node agent/main.ts"}}')).toThrow("script `agent`");
});
