/** Where the control socket of a running agent is. */
import { closeSync, mkdtempSync, openSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { whyNotRegular } from "../buffer/disk/fitness.ts";
import { AgentError } from "../runtime/agent-error.ts";

const SOCKET_FILE = "control.sock";
/** Says where the socket is, where the buffer's file system has none. */
const ELSEWHERE_FILE = "control.path";
const MADE_PREFIX = "weir-agent-";

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

/** The socket of a buffer whose file system takes none; null where there is no such. */
export function socketElsewhere(directory: string): string | null {
  const pointer = join(directory, ELSEWHERE_FILE);
  const why = whyNotRegular(pointer);
  if (why !== null) throw new AgentError("BUFFER_UNSAFE", why);
  try {
    return readFileSync(pointer, "utf8").trim() || null;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

/**
 * A path for the socket in a new private directory: systemd's runtime directory, else the user's, else the temporary
 * one. Written down in the buffer, for whoever looks for the agent there.
 */
export function placeSocketElsewhere(directory: string, env: Readonly<Record<string, string | undefined>>): SocketPath {
  forgetElsewhere(directory);
  const runtime = env["RUNTIME_DIRECTORY"]?.split(":")[0] || env["XDG_RUNTIME_DIR"] || tmpdir();
  const path = join(mkdtempSync(join(runtime, MADE_PREFIX)), SOCKET_FILE);
  writeFileSync(join(directory, ELSEWHERE_FILE), `${path}\n`, { mode: 0o600 });
  return { path, release: () => forgetElsewhere(directory) };
}

/** Removes what says where the socket is, and the directory it was in if that was made for it. */
export function forgetElsewhere(directory: string): void {
  const before = socketElsewhere(directory);
  if (before !== null && basename(before) === SOCKET_FILE && basename(dirname(before)).startsWith(MADE_PREFIX)) {
    rmSync(before, { force: true });
    try {
      rmdirSync(dirname(before));
    } catch {
      // Gone already, or somebody keeps something in it, which is not ours to remove.
    }
  }
  rmSync(join(directory, ELSEWHERE_FILE), { force: true });
}
