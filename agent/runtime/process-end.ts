import type { Writable } from "node:stream";

/** How long a process that has nothing more to do may take to end by itself. */
const PATIENCE_MS = 250;

/**
 * Ends this process once all it printed is out, whatever may still keep it alive: after its last line nobody is to wait
 * for it. Not at once, since what goes to a pipe is on its way for a while.
 */
export function endWhenPrinted(streams: readonly Writable[]): void {
  const look = setInterval(() => {
    if (streams.every((stream) => stream.destroyed || stream.writableLength === 0)) process.exit();
  }, PATIENCE_MS);
  // Where nothing else does, this keeps no process alive.
  look.unref();
}
