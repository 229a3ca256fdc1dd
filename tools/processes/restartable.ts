/** A process that can be killed and started again with the same arguments, hence the same port and state. */
import type { Exit, NodeProcess } from "./node-process.ts";

export interface Restartable {
  readonly url: string;
  readonly port: number;
  /** The one that runs now, or ran last. */
  current(): NodeProcess;
  /** Ends it hard, with all that it started. */
  sigkill(): Promise<Exit>;
  /** Ends it softly. */
  stop(): Promise<Exit>;
  /** Starts it again, stopping it first where it still runs; settles once it is ready. */
  restart(): Promise<void>;
}

/** @param spawn starts the process on `port`. Settles once it said that it is ready. */
export async function startRestartable(port: number, spawn: () => NodeProcess): Promise<Restartable> {
  let current = spawn();
  const ready = async () => {
    try {
      await current.ready;
    } catch (error) {
      await current.kill("SIGKILL");
      throw error;
    }
  };
  await ready();
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    current: () => current,
    sigkill: () => current.kill("SIGKILL"),
    stop: () => current.stop(),
    restart: async () => {
      await current.stop();
      current = spawn();
      await ready();
    },
  };
}
