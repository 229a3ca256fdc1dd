import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/** Tests of processes start several of them each and share two cores with all the rest. */
const PROCESS_TEST_MS = 600_000;

const migrations = await readD1Migrations("./migrations");

export default defineConfig({
  test: {
    // Worker threads of one run share the machine with the processes that the tests start.
    maxWorkers: 2,
    // Tests of faults make the product log them; shown only where a test fails.
    silent: "passed-only",
    projects: [
      {
        test: {
          name: "shared",
          include: ["test/shared/**/*.test.ts", "test/house/**/*.test.ts"],
          testTimeout: 120_000,
        },
      },
      {
        test: {
          name: "pricing",
          include: ["test/pricing/**/*.test.ts"],
          testTimeout: 120_000,
        },
      },
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: { bindings: { TEST_MIGRATIONS: migrations } },
          }),
        ],
        test: {
          name: "worker",
          include: ["test/worker/**/*.test.ts"],
          globalSetup: ["test/worker/support/upstream.ts"],
          testTimeout: 240_000,
        },
      },
      {
        test: {
          name: "agent",
          include: [
            "test/agent/**/*.test.ts",
            "test/twin/**/*.test.ts",
            "test/tools/**/*.test.ts",
            "test/bench/**/*.test.ts",
          ],
          testTimeout: PROCESS_TEST_MS,
          hookTimeout: PROCESS_TEST_MS,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: PROCESS_TEST_MS,
          hookTimeout: PROCESS_TEST_MS,
          fileParallelism: false,
        },
      },
    ],
  },
});
