/** What becomes of a recording at a number of cuts, in words where the promise does not hold. */
import { cpSync } from "node:fs";
import type { TempDir } from "../../../tools/processes/temp-dir.ts";
import { createRandom } from "../../shared/random-json.ts";
import { cutPower } from "./disk.ts";
import type { Cut } from "./places.ts";
import { record, type StartAgent } from "./recorder.ts";
import { type Recording, readRecording } from "./recording.ts";
import { type CutFault, faultsAfter, positionsOf } from "./reopened.ts";

const KEPT = "-kept";

export interface Verdict {
  readonly cut: Cut;
  readonly faults: readonly CutFault[];
}

/** Cuts a recording at these places, one after the other, and opens what each leaves. */
export function tryCuts(recording: Recording, cuts: readonly Cut[]): Verdict[] {
  const positions = positionsOf(recording);
  return cuts.map((cut) => {
    const left = cutPower(recording.operations, recording.told.root, cut.at, createRandom(cut.seed));
    return { cut, faults: faultsAfter(recording, positions, { ...cut, left }) };
  });
}

/** Records an agent's lives in this folder. */
export async function recordIn(folder: TempDir, start: StartAgent): Promise<Recording> {
  await record(folder.path, start);
  return readRecording(folder.path);
}

/** The failed cuts in words; their recording is kept, so that they can be looked into. */
export function failuresIn(verdicts: readonly Verdict[], folder: string): string[] {
  const failed = verdicts.filter(({ faults }) => faults.length > 0);
  if (failed.length === 0) return [];
  const kept = folder.endsWith(KEPT) ? folder : `${folder}${KEPT}`;
  if (kept !== folder) cpSync(folder, kept, { recursive: true });
  return failed.map(({ cut: { where, at, seed }, faults }) => {
    const [first] = faults;
    return `WEIR_POWER_CUT=${kept}:${at}:${seed} (${where}): ${faults.length} faults, first: ${first?.what}`;
  });
}
