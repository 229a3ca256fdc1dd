/**
 * Follows files: each line is an event once its newline is there. How far a file was read is committed with the events,
 * so that no crash repeats or skips a line.
 *
 * What rotation does to a file, and what is done about it:
 * - renamed, perhaps compressed and removed while its writer goes on: it stays open here until its writer has left it;
 * - renamed or compressed while the agent was down: found by its inode, else by how it begins and how it reads where it
 *   was left, also inside a gzip;
 * - copied and cut to nothing: the copy is found in the same way and read on, then the file is read from its start;
 * - rotated several times while the agent was down: files rotated since, never seen, are read from their start.
 * What was written between a copy and the cut is gone before anybody could read it. Bytes that were seen and are in no
 * file any more are counted and logged.
 */
import type { Logger } from "pino";
import type { Log } from "../buffer/log.ts";
import type { LinesHandler } from "../intake/lines-handler.ts";
import { messageOf } from "../runtime/agent-error.ts";
import type { Clock } from "../runtime/clock.ts";
import { createFollower } from "./follower.ts";

export interface TailOptions {
  /** A file's path, or a pattern with `*`, `?`, `[…]` or `{…}`. */
  readonly path: string;
  readonly stream: string;
  /** Between two looks, in milliseconds. */
  readonly intervalMs: number;
  readonly log: Log;
  readonly lines: LinesHandler;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Tail {
  /** Bytes that were seen in a file and are certainly gone, since the start. */
  lostBytes(): number;
  stop(): Promise<void>;
}

/** After trouble: a full buffer, an unknown meter, a file that cannot be read. */
const REST_MS = 2000;

export function startTail(options: TailOptions): Tail {
  const { clock, logger, path, intervalMs } = options;
  const stopping = new AbortController();
  const follower = createFollower({ ...options, signal: stopping.signal });
  const loop = async () => {
    let trouble: string | null = null;
    while (!stopping.signal.aborted) {
      const found = await follower.look().catch(messageOf);
      if (found !== null && found !== trouble) logger.warn({ path, reason: found }, "a followed file waits");
      trouble = found;
      await clock.sleep(found === null ? intervalMs : REST_MS, stopping.signal);
    }
    await follower.close();
  };
  const running = loop();
  return {
    lostBytes: follower.lostBytes,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
