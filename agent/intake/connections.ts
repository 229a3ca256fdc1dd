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

/** @returns what resolves once every request that came whole on a connection so far has its answer, or its client is gone. */
export function answersOf(server: Server): (socket: Socket) => Promise<unknown> {
  const inHand = new WeakMap<Socket, Map<ServerResponse, IncomingMessage>>();
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const own = inHand.get(request.socket) ?? new Map<ServerResponse, IncomingMessage>();
    inHand.set(request.socket, own.set(response, request));
    response.once("close", () => own.delete(response));
  });
  return (socket) => {
    const whole = [...(inHand.get(socket) ?? [])].filter(([, request]) => request.complete);
    return Promise.all(whole.map(([response]) => new Promise<void>((resolve) => response.once("close", resolve))));
  };
}
