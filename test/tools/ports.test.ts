import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { freePort } from "../../tools/processes/free-port.ts";
import { choosePort } from "../../tools/processes/ports.ts";

async function takenPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test("a free port is used, asked for or not", async () => {
  const port = await freePort();
  expect(await choosePort("edge", undefined, port)).toEqual({ kind: "port", port, notice: null });
  expect(await choosePort("edge", port, 1)).toEqual({ kind: "port", port, notice: null });
});

test("a default port that is taken gives way, and says so", async () => {
  const taken = await takenPort();
  const choice = await choosePort("edge", undefined, taken);
  expect(choice).toMatchObject({ kind: "port", notice: expect.stringContaining(`port ${taken} is taken`) });
  expect(choice).not.toMatchObject({ port: taken });
});

test("a port that was asked for and is taken is refused", async () => {
  const taken = await takenPort();
  expect(await choosePort("edge", taken, 1)).toMatchObject({ kind: "taken" });
});
