/** Keeps two `npm start` from running on the same state: two edges on one database would corrupt each other's view. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export type ClaimOutcome =
  | { readonly kind: "claimed"; readonly release: () => void }
  | { readonly kind: "held"; readonly pid: number; readonly file: string };

/** @param fresh empties the directory once it is known to be nobody's. */
export function claimState(directory: string, fresh: boolean): ClaimOutcome {
  const file = join(directory, "start.pid");
  const holder = holderOf(file);
  if (holder !== null) return { kind: "held", pid: holder, file };
  if (fresh) rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  writeFileSync(file, String(process.pid));
  return { kind: "claimed", release: () => rmSync(file, { force: true }) };
}

/** The process that holds the claim; null where there is none or it has died without releasing. */
function holderOf(file: string): number | null {
  try {
    const pid = Number(readFileSync(file, "utf8"));
    if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return null;
    process.kill(pid, 0);
    return pid;
  } catch {
    return null;
  }
}
