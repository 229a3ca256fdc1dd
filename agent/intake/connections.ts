/** Connections of clients, bounded in number: where there are too many, those that idle longest make room. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Each takes a file and some memory, whether its client says anything or not. */
const CONNECTIONS_MAX = 512;

export function boundConnections(server: Server, connectionsMax = CONNECTIONS_MAX): void {
  /** Without a request in hand, the longest idle first. */
  const idle = new Set<Socket>();
  let open = 0;
  server.on("connection", (socket: Socket) => {
    open++;
    idle.add(socket);
    socket.once("close", () => {
      open--;
      idle.delete(socket);
    });
    if (open <= connectionsMax) return;
    const [longest] = idle;
    (longest ?? socket).destroy();
  });
  server.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
    idle.delete(socket);
    response.once("close", () => {
      if (!socket.destroyed) idle.add(socket);
    });
  });
}
