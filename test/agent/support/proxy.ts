/** A proxy as they are: forwards plain requests, opens tunnels, may ask for a password. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";

export interface Proxy {
  readonly port: number;
  /** What it was asked for: `POST http://…` for a plain request, `CONNECT host:port` for a tunnel. */
  readonly asked: string[];
  close(): Promise<void>;
}

/**
 * @param credentials "user:password" that it asks for; null lets everybody pass.
 * @param port that it had before; 0 for any.
 */
export async function openProxy(credentials: string | null = null, port = 0): Promise<Proxy> {
  const asked: string[] = [];
  const sockets = new Set<Socket | Duplex>();
  const wanted = credentials === null ? undefined : `Basic ${Buffer.from(credentials).toString("base64")}`;
  const isLetIn = ({ headers }: IncomingMessage) => wanted === undefined || headers["proxy-authorization"] === wanted;

  const server = createServer((incoming, response) => {
    asked.push(`${incoming.method} ${incoming.url}`);
    if (!isLetIn(incoming)) return void response.writeHead(407, { "proxy-authenticate": "Basic" }).end();
    const { "proxy-authorization": _, ...headers } = incoming.headers;
    const onward = request(incoming.url ?? "", { method: incoming.method ?? "GET", headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    incoming.pipe(onward);
  });
  server.on("connect", (incoming: IncomingMessage, socket: Duplex) => {
    asked.push(`CONNECT ${incoming.url}`);
    sockets.add(socket);
    socket.on("error", () => {});
    if (!isLetIn(incoming)) return void socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    const [host, port] = (incoming.url ?? "").split(":");
    const onward = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      socket.pipe(onward).pipe(socket);
    });
    sockets.add(onward);
    onward.on("error", () => socket.destroy());
    socket.on("close", () => onward.destroy());
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await closed;
    },
  };
}
