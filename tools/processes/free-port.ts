import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";

// Below the ports that systems give to connections and to who asks for any (32,768 or 49,152 and up): what was free
// a moment ago is not taken by a neighbour that only wanted some port.
const FIRST = 10_000;
const LAST = 32_000;
const TRIES_MAX = 1_000;

/** A loopback port that was free a moment ago, and that nobody gets who does not name it. */
export async function freePort(random: () => number = Math.random): Promise<number> {
  for (let tried = 0; tried < TRIES_MAX; tried++) {
    const port = await portIfFree(FIRST + Math.floor(random() * (LAST - FIRST)));
    if (port !== null) return port;
  }
  throw new Error(`no free port on 127.0.0.1 from ${FIRST} to ${LAST}`);
}

/**
 * The port itself, or null where somebody listens on it already; 0 finds any.
 * @throws Error where it may not be listened on at all.
 */
export async function portIfFree(wanted: number): Promise<number | null> {
  const server = createServer();
  try {
    server.listen(wanted, "127.0.0.1");
    await once(server, "listening");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") return null;
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
