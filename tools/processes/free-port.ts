import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";

/** A loopback port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const port = await portIfFree(0);
  if (port === null) throw new Error("no free port on 127.0.0.1");
  return port;
}

/** The port itself, or null where somebody listens on it already; 0 finds any. */
export async function portIfFree(wanted: number): Promise<number | null> {
  const server = createServer();
  try {
    server.listen(wanted, "127.0.0.1");
    await once(server, "listening");
  } catch {
    return null;
  }
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
