/** A destination for backlogs too large to keep: it takes each position once and remembers only how far it came. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";

export interface CountingDestination {
  readonly url: string;
  /** While false, connections are cut. */
  open: boolean;
  readonly events: number;
  /** Positions that came again. */
  readonly repeats: number;
  close(): Promise<void>;
}

export async function openCountingDestination(): Promise<CountingDestination> {
  const taken = new Set<number>();
  let repeats = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      if (!destination.open) return void response.socket?.destroy();
      const first = Number(request.headers["weir-sequence"]);
      if (Number.isNaN(first)) return void response.writeHead(503).end();
      const { length } = JSON.parse(gunzipSync(Buffer.concat(chunks)).toString("utf8")) as unknown[];
      for (let position = first; position < first + length; position++) {
        if (taken.has(position)) repeats++;
        taken.add(position);
      }
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ success: true, accepted: length }));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const destination = {
    url: `http://127.0.0.1:${port}`,
    open: false,
    get events() {
      return taken.size;
    },
    get repeats() {
      return repeats;
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
  return destination;
}
