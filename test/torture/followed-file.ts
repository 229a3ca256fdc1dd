/** A file that an application writes and the agent follows: lines that end late, rotation by renaming. */
import { appendFileSync, renameSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { Books } from "./producers.ts";

export const TAILED_METER = "tailed";

export interface FollowedFile {
  readonly path: string;
  /** Lines written so far, unfinished ones left out. */
  lines(): number;
  /** Renames it and goes on in a new one, if the agent has read of it: a file it never saw is not looked for. */
  rotate(linesTaken: number): void;
  /** Writes until told to stop; each line is owed from its newline on. */
  write(books: Books, random: () => number, signal: AbortSignal): Promise<void>;
}

const REST_MS = 60;

export function createFollowedFile(path: string): FollowedFile {
  let lines = 0;
  let linesBefore = 0;
  let rotations = 0;
  let isWhole = true;
  return {
    path,
    lines: () => lines,
    rotate(linesTaken) {
      if (!isWhole || linesTaken <= linesBefore || lines === linesBefore) return;
      rotations++;
      renameSync(path, `${path}.${rotations}`);
      linesBefore = lines;
    },
    async write(books, random, signal) {
      for (let n = 0; !signal.aborted; n++) {
        const name = `tailed-${n}`;
        const line = JSON.stringify({
          CustomerId: name,
          UsageIdentifier: TAILED_METER,
          UsageDate: "2015-05-17T10:05:03Z",
          Quantity: 2,
        });
        const cut = Math.floor(random() * line.length);
        isWhole = false;
        appendFileSync(path, line.slice(0, cut));
        await pause(random() * REST_MS);
        appendFileSync(path, `${line.slice(cut)}\n`);
        isWhole = true;
        lines++;
        books.owed.add(name);
        await pause(random() * REST_MS);
      }
    },
  };
}
