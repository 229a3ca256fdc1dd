/** Starts the upstream twin, in Node, for the tests that run inside workerd. */
import type { TestProject } from "vitest/node";
import { createTwin } from "../../../tools/twin/twin.ts";

declare module "vitest" {
  interface ProvidedContext {
    twinUrl: string;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const twin = await createTwin({ port: 0 });
  project.provide("twinUrl", twin.url);
  return () => twin.close();
}
