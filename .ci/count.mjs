/** Prints the closing line, summed from vitest's JSON reports; fails where a test failed, was skipped, or none ran. */
import { existsSync, readFileSync } from "node:fs";

const total = { passed: 0, failed: 0 };
for (const path of process.argv.slice(2)) {
  const report = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : { testResults: [] };
  const before = total.passed;
  for (const file of report.testResults) {
    // A file that could not even be read has no tests, and counts as one that failed.
    if (file.status === "failed" && file.assertionResults.length === 0) fail(`did not run: ${file.name}`);
    for (const { status, fullName } of file.assertionResults) {
      if (status === "passed") total.passed++;
      else fail(status === "failed" ? `failed: ${fullName}` : `skipped, which fails this run: ${fullName}`);
    }
  }
  if (total.passed === before) fail(`no test passed in ${path}`);
}
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);

function fail(message) {
  total.failed++;
  console.log(message);
}
