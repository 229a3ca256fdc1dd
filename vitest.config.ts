import { fileURLToPath } from "node:url";
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { configDefaults, defineConfig } from "vitest/config";

/** A test that hangs ends the run after this; one that is only slow, on a busy machine, does not. */
const TEST_MS = 600_000;

/**
 * Two tiers, told apart by the names of files. `npm test` runs all but `*.proof.test.ts`, its `*.model.test.ts` short;
 * `npm run proof` (mode "proof") runs these two, the models at full length. `*.machine.test.ts` need a machine of their own,
 * whose root they mount and where they start systemd: nobody's by surprise, so `npm run proof:machine` alone runs them. Mode "all" runs every file at full length:
 * `vitest run --mode all FILE` for any one of them.
 */
const TIERS = {
  test: { suffix: "test", isFullLength: false, exclude: ["**/*.{proof,machine}.test.ts"] },
  proof: { suffix: "{proof,model}.test", isFullLength: true, exclude: [] },
  machine: { suffix: "machine.test", isFullLength: true, exclude: [] },
  all: { suffix: "test", isFullLength: true, exclude: [] },
} as const;

const migrations = await readD1Migrations("./migrations");

export default defineConfig(({ mode }) => {
  const tier = TIERS[mode as keyof typeof TIERS];
  if (tier === undefined) throw new Error(`no such mode: ${mode}; there are ${Object.keys(TIERS).join(", ")}`);
  const { suffix, isFullLength, exclude } = tier;
  /** What a project of the tests in these folders has in common with every other. */
  const testsIn = (name: string, ...folders: readonly string[]) => ({
    name,
    include: folders.map((folder) => `test/${folder}/**/*.${suffix}.ts`),
    // The defaults keep out node_modules, which a test of generated clients has for itself below test/.
    exclude: [...configDefaults.exclude, ...exclude],
    provide: { isFullLength },
    passWithNoTests: true,
  });
  /** A project whose tests run in workerd, beside the Worker's code, with a database of their own. */
  const inWorkerd = <T extends object>(test: T) => ({
    plugins: [
      cloudflareTest({
        wrangler: { configPath: "./wrangler.toml" },
        miniflare: { bindings: { TEST_MIGRATIONS: migrations }, r2Buckets: ["ARCHIVE"] },
      }),
    ],
    test: { ...test, globalSetup: ["test/worker/support/upstream.ts"], testTimeout: TEST_MS },
  });
  const worker = testsIn("worker", "worker");
  const migrationTests = `test/worker/*-migration.${suffix}.ts`;
  return {
    test: {
      // Worker threads of one run share the machine with the processes that the tests start.
      maxWorkers: 2,
      // The processes that tests start are the same few programs: compiled once, each start takes half the CPU.
      env: { NODE_COMPILE_CACHE: fileURLToPath(new URL("node_modules/.cache/weir-tests", import.meta.url)) },
      // Tests of failures make the product log them; shown only where a test fails.
      silent: "passed-only",
      projects: [
        { test: { ...testsIn("shared", "shared", "house"), testTimeout: TEST_MS } },
        { test: { ...testsIn("pricing", "pricing"), testTimeout: TEST_MS } },
        inWorkerd({
          ...worker,
          exclude: [...worker.exclude, migrationTests],
          // One workerd for file after file: its start costs more than most of them. The ledger is emptied between.
          isolate: false,
          setupFiles: ["test/worker/support/empty-ledger.ts"],
        }),
        // Each begins with a database that has no table yet.
        inWorkerd({ ...testsIn("migrations"), include: [migrationTests] }),
        {
          test: {
            ...testsIn("agent", "agent", "twin", "tools", "bench"),
            testTimeout: TEST_MS,
            hookTimeout: TEST_MS,
          },
        },
        {
          test: {
            ...testsIn("e2e", "e2e", "docs"),
            testTimeout: TEST_MS,
            hookTimeout: TEST_MS,
            // The long ones measure, or kill at their own pace.
            fileParallelism: !isFullLength,
          },
        },
      ],
    },
  };
});
