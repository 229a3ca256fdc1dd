/** Where the control socket of a running agent is. */
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";

export const SOCKET_FILE = "control.sock";

/** The kernel takes at most about this many bytes of a unix socket's path. */
const PATH_BYTES_MAX = 100;

export interface SocketPath {
  readonly path: string;
  release(): void;
}

/**
 * The socket's path in a form that the kernel takes: a buffer directory with a long name is reached through
 * an open descriptor of it.
 */
export function socketPathIn(directory: string): SocketPath {
  const path = join(directory, SOCKET_FILE);
  if (Buffer.byteLength(path) <= PATH_BYTES_MAX || process.platform !== "linux") return { path, release: () => {} };
  const descriptor = openSync(directory, "r");
  return { path: `/proc/self/fd/${descriptor}/${SOCKET_FILE}`, release: () => closeSync(descriptor) };
}
