/** Connections of clients, bounded in number: where there are too many, those that idle longest make room. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Each takes a file and some memory, whether its client says anything or not. */
const CONNECTIONS_MAX = 512;

export interface Connections {
  /** Resolves once every request that came whole on a connection so far has its answer, or its client is gone. */
  answered(socket: Socket): Promise<unknown>;
}

/** Watches a server's connections, with one listener a request: they cost each of them more than a look. */
export function boundConnections(server: Server, connectionsMax = CONNECTIONS_MAX): Connections {
  /** Without a request in hand, the longest idle first. */
  const idle = new Set<Socket>();
  /** What is in hand on each connection. */
  const inHand = new WeakMap<Socket, ServerResponse[]>();
  let open = 0;
  server.on("connection", (socket: Socket) => {
    open++;
    idle.add(socket);
    inHand.set(socket, []);
    socket.once("close", () => {
      open--;
      idle.delete(socket);
    });
    if (open <= connectionsMax) return;
    const [longest] = idle;
    (longest ?? socket).destroy();
  });
  // Not an arrow function, and one for all: what it is called on is the response.
  function release(this: ServerResponse): void {
    const { socket } = this.req;
    const own = inHand.get(socket) ?? [];
    const at = own.indexOf(this);
    if (at >= 0) own.splice(at, 1);
    if (!socket.destroyed) idle.add(socket);
  }
  server.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
    idle.delete(socket);
    inHand.get(socket)?.push(response);
    response.on("close", release);
  });
  return {
    answered(socket) {
      const whole = (inHand.get(socket) ?? []).filter(({ req }) => req.complete);
      return Promise.all(whole.map((response) => new Promise<void>((resolve) => response.once("close", resolve))));
    },
  };
}
