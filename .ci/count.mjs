/** Prints the closing line from vitest's JSON report; fails where a test failed, was skipped, or none ran. */
import { readFileSync } from "node:fs";

const report = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped, numTodoTests: todo } = report;
if (skipped + todo > 0) {
  for (const file of report.testResults) {
    for (const test of file.assertionResults) {
      if (test.status !== "passed" && test.status !== "failed") console.log(`not run: ${test.fullName}`);
    }
  }
  console.log("a skipped test fails this run");
}
console.log(`${passed} passed, ${failed} failed${skipped + todo > 0 ? `, ${skipped + todo} skipped` : ""}`);
process.exit(failed === 0 && skipped + todo === 0 && passed > 0 ? 0 : 1);
