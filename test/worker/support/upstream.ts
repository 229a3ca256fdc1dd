/** Starts the upstream twin and the table of answers, in Node, for the tests that run inside workerd. */
import type { TestProject } from "vitest/node";
import { createTwin } from "../../../tools/twin/twin.ts";
import { openAnswerServer } from "../../vendors/answer-server.ts";

declare module "vitest" {
  interface ProvidedContext {
    twinUrl: string;
    /** Another account, with other credentials. */
    otherTwinUrl: string;
    answersUrl: string;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const twin = await createTwin({ port: 0 });
  const other = await createTwin({
    port: 0,
    zuora: { clientId: "other-client", clientSecret: "other-secret" },
    solvimon: { apiKey: "other-key" },
  });
  const answers = await openAnswerServer();
  project.provide("twinUrl", twin.url);
  project.provide("otherTwinUrl", other.url);
  project.provide("answersUrl", answers.url);
  return async () => {
    await Promise.all([twin.close(), other.close(), answers.close()]);
  };
}
