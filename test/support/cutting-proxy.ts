/**
 * A TCP proxy that cuts answers: the server has answered, and the client sees its connection end instead. It looks at
 * bytes alone and changes none, so that a client's own repeats reach the server as they were sent.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface CuttingProxy {
  readonly url: string;
  /** Answers that were cut. */
  cut(): number;
  /** How often each status was answered, cut answers included. */
  statuses(): ReadonlyMap<number, number>;
  close(): Promise<void>;
}

/**
 * @param target the server's port on 127.0.0.1, where it may be gone for a while: then connections are refused.
 * @param every cuts each so-many-th answer of 2xx; 0 cuts none.
 */
export async function startCuttingProxy(target: number, every: number): Promise<CuttingProxy> {
  const statuses = new Map<number, number>();
  const sockets = new Set<Socket>();
  let taken = 0;
  let cut = 0;

  /** Whether an answer that begins so is to be cut. */
  function isToBeCut(status: number): boolean {
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (status < 200 || status > 299) return false;
    taken++;
    const isTurn = every > 0 && taken % every === 0;
    if (isTurn) cut++;
    return isTurn;
  }

  const server = createServer((client) => {
    const onward = connect(target, "127.0.0.1");
    // What comes from the server behind a request is the beginning of its answer.
    let isAsked = false;
    for (const socket of [client, onward]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        // What is on its way to the other side still arrives there.
        client.destroySoon();
        onward.destroySoon();
      });
    }
    client.on("data", (bytes) => {
      isAsked = true;
      onward.write(bytes);
    });
    onward.on("data", (bytes) => {
      const status = isAsked ? statusOf(bytes) : null;
      if (status !== null && status >= 200) {
        isAsked = false;
        // By turns as a peer that closes, and as one that is gone.
        if (isToBeCut(status)) {
          if (cut % 2 === 0) client.destroy();
          else client.resetAndDestroy();
          return;
        }
      }
      client.write(bytes);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => cut,
    statuses: () => statuses,
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function statusOf(bytes: Buffer): number | null {
  const [, digits] = /^HTTP\/1\.1 (\d{3}) /.exec(bytes.subarray(0, 16).toString("latin1")) ?? [];
  return digits === undefined ? null : Number(digits);
}
