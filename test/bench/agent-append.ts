/** How fast the agent takes events in, while its destination is away: nothing is said yes to before it is on disk. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../../tools/processes/free-port.ts";
import { spawnNode } from "../../tools/processes/node-process.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { runAgent } from "../../tools/processes/weir-processes.ts";
import { bodiesOf, events, LINES_HEADERS, post } from "./load.ts";
import { compare, type Measured } from "./measure.ts";

const FLOOR = fileURLToPath(new URL("./floors/http-sqlite.ts", import.meta.url));
const METER = "bench";
const CLIENTS = 4;

/** @param size events a request. */
export async function benchAppend(size: number, count: number): Promise<Measured> {
  const folder = tempDir("weir-bench");
  const nobody = `http://127.0.0.1:${await freePort()}`;
  const agent = await runAgent({ directory: join(folder.path, "agent"), destinationUrl: nobody });
  const floor = spawnNode(FLOOR, [join(folder.path, "floor.db")]);
  try {
    const floorUrl = await floor.ready;
    let first = 0;
    const run = async (url: string) => {
      const bodies = bodiesOf(events(METER, first, count), size);
      first += count;
      const path = `/meters/streaming/ingestion/${METER}`;
      return count / (await post({ url, path, headers: LINES_HEADERS, bodies, clients: CLIENTS }));
    };
    return await compare({
      name: `agent takes events, ${size} a request`,
      unit: "events/s",
      higherIsBetter: true,
      floorIs: "HTTP and node:sqlite, one row and commit a request",
      rounds: 5,
      weir: () => run(agent.url),
      floor: () => run(floorUrl),
    });
  } finally {
    await agent.stop();
    await floor.kill("SIGKILL");
    folder.remove();
  }
}
