import type { NodeProcess } from "../../../tools/processes/node-process.ts";

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
