/** The control socket: how the other commands reach a running agent; guarded by its file mode alone. */
import { chmodSync, rmSync } from "node:fs";
import type { Logger } from "pino";
import { usageRefusal } from "../../shared/intake/usage-answer.ts";
import type { BodyLimits } from "../../shared/wire.ts";
import { readBody } from "../intake/body.ts";
import type { LinesDoor } from "../intake/lines-door.ts";
import type { Handler } from "../intake/routes.ts";
import { type HttpDoor, openHttpDoor } from "../intake/server.ts";
import { splitLines } from "./lines.ts";
import { socketPathIn } from "./socket-path.ts";

export interface ControlOptions {
  readonly directory: string;
  readonly status: () => Promise<object>;
  readonly verify: () => Promise<readonly string[]>;
  readonly lines: LinesDoor;
  readonly limits: BodyLimits;
  readonly logger: Logger;
}

/** Opens the socket. The caller holds the buffer, so a socket that lies there is a dead process's. */
export async function openControl(options: ControlOptions): Promise<Pick<HttpDoor, "close">> {
  const socket = socketPathIn(options.directory);
  rmSync(socket.path, { force: true });
  const before = process.umask(0o177);
  try {
    const door = await openHttpDoor({ path: socket.path }, createHandler(options), options.logger);
    chmodSync(socket.path, 0o600);
    return {
      async close(graceMs) {
        await door.close(graceMs);
        rmSync(socket.path, { force: true });
        socket.release();
      },
    };
  } finally {
    process.umask(before);
  }
}

function createHandler({ status, verify, lines, limits }: ControlOptions): Handler {
  return async function control(request) {
    const url = new URL(request.url ?? "/", "http://agent");
    if (request.method === "GET" && url.pathname === "/status") return { status: 200, body: await status() };
    if (request.method === "GET" && url.pathname === "/verify")
      return { status: 200, body: { faults: await verify() } };
    const stream = url.searchParams.get("stream");
    if (request.method !== "POST" || url.pathname !== "/lines" || stream === null) {
      return { status: 404, body: usageRefusal("there is nothing here") };
    }
    const read = await readBody(request, "identity", limits.bodyBytesMax);
    if (read.kind === "gone") return null;
    if (read.kind !== "bytes") return { status: 413, body: usageRefusal("the body is too large") };
    const lenient = url.searchParams.get("lenient") === "true";
    return { status: 200, body: await lines({ stream, lines: splitLines(read.bytes), lenient }) };
  };
}
