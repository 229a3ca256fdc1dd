/**
 * `npm run mutants`: breaks one piece of the product at a time, in a copy, and runs the tests that guard it.
 * A mutant that survives is a promise nobody keeps watch over: exit 1. `npm run mutants -- agent` takes those whose
 * name holds the word.
 */
import { execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import { onClosedPipe } from "../../tools/processes/closed-pipe.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { copyProduct, ROOT, replaceOnce } from "../support/product-copy.ts";
import { MUTANTS } from "./mutants.ts";

/** The files git knows or would take. */
function copyTo(folder: string): void {
  const list = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: ROOT });
  copyProduct(
    folder,
    list
      .toString("utf8")
      .split("\0")
      .filter((name) => name !== ""),
  );
}

async function testsPass(folder: string, tests: readonly string[]): Promise<boolean> {
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const child = spawn(process.execPath, [vitest, "run", "--mode", "all", "--silent=true", ...tests], {
    cwd: folder,
    stdio: "ignore",
  });
  const code = await new Promise((resolve) => child.once("exit", resolve));
  return code === 0;
}

onClosedPipe();
const chosen = MUTANTS.filter(({ name }) => name.includes(process.argv[2] ?? ""));

// A test run that fails by itself, or does not even start, would count every mutant as caught.
const whole = tempDir("weir-mutant");
try {
  copyTo(whole.path);
  if (!(await testsPass(whole.path, [...new Set(chosen.flatMap((mutant) => mutant.tests))]))) {
    throw new Error("the tests fail on the unbroken product; mend that first");
  }
} finally {
  whole.remove();
}

let survivors = 0;
for (const mutant of chosen) {
  const copy = tempDir("weir-mutant");
  try {
    copyTo(copy.path);
    replaceOnce(join(copy.path, mutant.file), mutant.find, mutant.replace);
    const survived = await testsPass(copy.path, mutant.tests);
    if (survived) survivors++;
    console.log(`${survived ? "SURVIVED" : "caught  "}  ${mutant.name}`);
  } finally {
    copy.remove();
  }
}
console.log(`${chosen.length - survivors} of ${chosen.length} mutants caught`);
process.exitCode = survivors === 0 ? 0 : 1;
