/** The ingest routes on a unix socket, for programs on this machine; its file mode says who may knock. */
import { chmodSync, lstatSync, rmSync } from "node:fs";
import { connect } from "node:net";
import type { Logger } from "pino";
import { AgentError } from "../runtime/agent-error.ts";
import type { Handler } from "./routes.ts";
import { type HttpServer, openHttpServer } from "./server.ts";

/** The agent's user and group. */
const MODE = 0o660;

/** @throws AgentError LISTEN where another process listens there, or what lies there is no socket. */
export async function openSocketServer(
  path: string,
  handle: Handler,
  logger: Logger,
): Promise<Pick<HttpServer, "close">> {
  await removeStale(path);
  const before = process.umask(0o177);
  try {
    const server = await openHttpServer({ path }, handle, logger);
    chmodSync(path, MODE);
    return {
      async close(graceMs) {
        await server.close(graceMs);
        rmSync(path, { force: true });
      },
    };
  } finally {
    process.umask(before);
  }
}

/** A socket that nobody answers at was left by a process that died. */
async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new AgentError("LISTEN", `listen.socket: ${path} is there and is no socket`);
  if (await isAnswered(path)) throw new AgentError("LISTEN", `listen.socket: another process listens on ${path}`);
  rmSync(path, { force: true });
}

/** Whether a process listens on a socket. */
export function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
    socket.unref();
  });
}
