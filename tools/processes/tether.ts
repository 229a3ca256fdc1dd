/**
 * Loaded with `--import` into every process that these scripts start: when the starter dies, however it dies,
 * its IPC channel closes, and the process ends itself the way a SIGTERM would. So a SIGKILL of the starter
 * leaves nothing behind either.
 */
if (process.channel) {
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
  // The channel must not keep a process alive that has nothing left to do.
  process.channel.unref();
}
