/** Prints the closing line, summed from vitest's JSON reports; fails where a test failed, was skipped, or none ran. */
import { readFileSync } from "node:fs";

const total = { passed: 0, failed: 0, skipped: 0 };
for (const path of process.argv.slice(2)) {
  const report = JSON.parse(readFileSync(path, "utf8"));
  // A file that could not even be read has no tests, and counts as one that failed.
  const broken = report.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0);
  for (const file of broken) console.log(`did not run: ${file.name}`);
  total.passed += report.numPassedTests;
  total.failed += report.numFailedTests + broken.length;
  total.skipped += report.numPendingTests + report.numTodoTests;
  if (report.numPassedTests === 0) throw new Error(`no test passed in ${path}`);
  for (const file of report.testResults) {
    for (const test of file.assertionResults) {
      if (test.status !== "passed" && test.status !== "failed") console.log(`skipped: ${test.fullName}`);
    }
  }
}
if (total.skipped > 0) console.log(`${total.skipped} tests were skipped: a skipped test fails this run`);
console.log(`${total.passed} passed, ${total.failed + total.skipped} failed`);
process.exit(total.failed + total.skipped === 0 && process.argv.length > 2 ? 0 : 1);
