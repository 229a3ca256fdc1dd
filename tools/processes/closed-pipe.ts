/** What a shell reports of a program that SIGPIPE ended, which is how others end here. */
export const CLOSED_PIPE_EXIT_CODE = 141;

/**
 * Calls once when the reader of what this process prints went away (`npm run demo | head`), on stdout or stderr: no
 * failure to report, least of all with a stack. Any other error of the two is thrown.
 * @param closed by default ends the process at once, which also ends the processes that it started.
 */
export function onClosedPipe(closed: () => void = () => process.exit(CLOSED_PIPE_EXIT_CODE)): void {
  let isClosed = false;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE" && error.code !== "ERR_STREAM_DESTROYED") throw error;
      if (!isClosed) closed();
      isClosed = true;
    });
  }
}
