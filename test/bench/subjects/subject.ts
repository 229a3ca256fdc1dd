import type { NodeProcess } from "../../../tools/processes/node-process.ts";
import { tempDir } from "../../../tools/processes/temp-dir.ts";

/** What is measured: a process that leads its group. */
export interface Subject {
  readonly url: string;
  /** `HOST:PORT` of the address. */
  readonly host: string;
  /** Of the process group: what it starts counts with it. */
  readonly group: number;
  /** Ends it softly, so that it writes what it owes (a profile). */
  stop(): Promise<void>;
}

/** Waits until the process is ready; ends it where that fails. */
export async function started(process: NodeProcess): Promise<Subject> {
  try {
    const url = await process.ready;
    return {
      url,
      host: new URL(url).host,
      group: process.pid,
      stop: async () => void (await process.stop()),
    };
  } catch (error) {
    await process.kill("SIGKILL");
    throw error;
  }
}

/** Takes what is starting among those that are stopped in the end. */
export type Begin = <T extends Subject>(starting: Promise<T>) => Promise<T>;

/** Measures in a temporary folder; what was begun is stopped whatever comes of it, the last one first. */
export async function withSubjects(measure: (begin: Begin, folder: string) => Promise<void>): Promise<void> {
  const folder = tempDir("weir-bench");
  const begun: Subject[] = [];
  try {
    await measure(async (starting) => {
      const subject = await starting;
      begun.push(subject);
      return subject;
    }, folder.path);
  } finally {
    for (const subject of begun.reverse()) await subject.stop();
    folder.remove();
  }
}
