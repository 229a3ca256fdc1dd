/**
 * `npm run mutants`: breaks one piece of the product at a time, in a copy, and runs the tests that guard it. A mutant is
 * caught by a test that fails, not by a run that breaks. One that survives is a promise nobody keeps watch over: exit 1.
 * `npm run mutants -- agent` takes those whose name holds the word.
 */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { onClosedPipe } from "../../tools/processes/closed-pipe.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { copyProduct, ROOT, replaceOnce } from "../support/product-copy.ts";
import { MUTANTS, type Mutant } from "./mutants.ts";

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

interface Run {
  /** "broken": no test said anything. A file that does not even load notices nothing. */
  readonly kind: "passed" | "failed" | "broken";
}

/** Of vitest.config.ts: models short and no proofs, or all at full length. */
type Mode = "test" | "all";

async function runTests(folder: string, mode: Mode, tests: readonly string[]): Promise<Run> {
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const report = join(folder, "mutant-report.json");
  const reporting = ["--reporter=json", `--outputFile=${report}`];
  const child = spawn(process.execPath, [vitest, "run", "--mode", mode, "--silent=true", ...reporting, ...tests], {
    cwd: folder,
    stdio: "ignore",
  });
  const code = await new Promise((resolve) => child.once("exit", resolve));
  if (code === 0) return { kind: "passed" };
  if (!existsSync(report)) return { kind: "broken" };
  const { numFailedTests } = JSON.parse(readFileSync(report, "utf8")) as { numFailedTests: number };
  return { kind: numFailedTests > 0 ? "failed" : "broken" };
}

/** Runs tests on a copy of the product that was changed in some way. */
async function tried(mode: Mode, tests: readonly string[], change: (folder: string) => void): Promise<Run> {
  const copy = tempDir("weir-mutant");
  try {
    copyTo(copy.path);
    change(copy.path);
    return await runTests(copy.path, mode, tests);
  } finally {
    copy.remove();
  }
}

/** Minutes, where others take seconds. */
const isLong = ({ tests }: Mutant) => tests.some((file) => /power-cut|\.proof\./.test(file));

onClosedPipe();
const chosen = MUTANTS.filter(({ name }) => name.includes(process.argv[2] ?? "")).toSorted(
  (a, b) => Number(isLong(a)) - Number(isLong(b)),
);
/** Tests by mode that pass on the unbroken product: one that fails by itself would count every mutant as caught. */
const sound = new Set<string>();

async function areSound(mode: Mode, tests: readonly string[]): Promise<boolean> {
  const unseen = tests.filter((test) => !sound.has(`${mode} ${test}`));
  if (unseen.length > 0 && (await tried(mode, unseen, () => {})).kind !== "passed") return false;
  for (const test of unseen) sound.add(`${mode} ${test}`);
  return true;
}

type Verdict = "caught" | "survived" | "broken" | "unsound";

/** By the short tests, and by the long ones only where those notice nothing. */
async function verdictOn({ file, find, replace, tests }: Mutant): Promise<Verdict> {
  for (const mode of ["test", "all"] as const) {
    if (!(await areSound(mode, tests))) return "unsound";
    const { kind } = await tried(mode, tests, (folder) => replaceOnce(join(folder, file), find, replace));
    if (kind !== "passed") return kind === "failed" ? "caught" : "broken";
  }
  return "survived";
}

const counts: Record<Verdict, number> = { caught: 0, survived: 0, broken: 0, unsound: 0 };
for (const mutant of chosen) {
  const verdict = await verdictOn(mutant);
  counts[verdict]++;
  console.log(`${(verdict === "caught" ? verdict : verdict.toUpperCase()).padEnd(8)}  ${mutant.name}`);
}
console.log(
  `${counts.caught} of ${chosen.length} mutants caught, ${counts.survived} survived, ${counts.broken} ran no test, ` +
    `${counts.unsound} had tests that fail by themselves`,
);
process.exitCode = counts.caught === chosen.length ? 0 : 1;
