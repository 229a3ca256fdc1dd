/** A TCP proxy on loopback that can be cut like a cable. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface CuttableProxy {
  readonly url: string;
  readonly port: number;
  /** Drops every connection and refuses new ones until restored. */
  cut(): void;
  restore(): Promise<void>;
  close(): Promise<void>;
}

export async function createCuttableProxy(targetPort: number, listenPort = 0): Promise<CuttableProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const target = connect(targetPort, "127.0.0.1");
    const end = () => {
      client.destroy();
      target.destroy();
      sockets.delete(client);
      sockets.delete(target);
    };
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", end).on("close", end);
    }
    client.pipe(target).pipe(client);
  });
  const listen = async (port: number) => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  await listen(listenPort);
  const { port } = server.address() as AddressInfo;
  const cut = () => {
    // Nobody listens any more, so a new connection is refused rather than left hanging.
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  const restore = async () => {
    if (!server.listening) await listen(port);
  };
  const close = async () => {
    if (!server.listening) return;
    const closed = once(server, "close");
    cut();
    await closed;
  };
  return { url: `http://127.0.0.1:${port}`, port, cut, restore, close };
}
