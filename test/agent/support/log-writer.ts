/**
 * An application that logs usage: `node log-writer.ts FILE` appends 2,000 lines a second until SIGTERM, opens its file
 * anew at SIGHUP as most daemons do, and prints how many lines it wrote at the end.
 */
import { closeSync, openSync, writeSync } from "node:fs";

const LINES_PER_SECOND = 2000;
const [path = ""] = process.argv.slice(2);
let file = openSync(path, "a");
let written = 0;
const start = performance.now();

function lineNumber(n: number): string {
  return `{"CustomerId":"c${n}","UsageIdentifier":"u","UsageDate":"2026-01-02T03:04:05Z","Quantity":${n}}`;
}

const timer = setInterval(() => {
  const due = Math.floor(((performance.now() - start) / 1000) * LINES_PER_SECOND);
  while (written < due) writeSync(file, `${lineNumber(written++)}\n`);
}, 5);

process.on("SIGHUP", () => {
  closeSync(file);
  file = openSync(path, "a");
});
process.on("SIGTERM", () => {
  clearInterval(timer);
  closeSync(file);
  console.log(`wrote ${written}`);
});
console.log("writer ready on http://nowhere");
