import { get } from "node:http";
import { expect, it } from "vitest";
import { until } from "../../tools/processes/until.ts";
import { post, startRiver } from "./support.ts";

const ODD = [
  '{"CustomerId":"c","UsageIdentifier":"u","UsageDate":"2015-05-17T10:05:03Z","Quantity":0.1234567890123456789}',
  '{"Quantity":12345678901234567890,"CustomerId":"c","UsageDate":"2015-05-17T10:05:03.123456789+05:30","UsageIdentifier":"u"}',
  '{ "UsageIdentifier" :\t"\\u0075 \\/ \\u00e9 é 𝄞 \\ud834\\udd1e",\n\n  "Quantity"  : -1.50e+2 , "CustomerId":"c","UsageDate":"2015-05-17T10:05:03Z" , "nested":{"b":[1.0,1, 1e0],"a":null} }',
];

it("numbers, white space, key order and escapes arrive byte for byte, straight and through the agent", async () => {
  const river = await startRiver();
  const agent = await river.startAgent();
  for (const url of [river.edge.url, agent.url]) {
    await fetch(`${river.twin.url}/twin`, { method: "DELETE" });
    const headers = url === agent.url ? {} : { "weir-producer": "straight", "weir-sequence": "0" };
    expect((await post(url, ODD, { headers })).status).toBe(200);
    await until(async () => (await river.twinCounts()).events === ODD.length, {
      what: "the events at the twin",
      timeoutMs: 120_000,
    });
    expect((await river.twinEvents()).sort()).toEqual([...ODD].sort());
  }
});

it("an answer is gzipped for a client that asks, and plain for one that does not", async () => {
  const river = await startRiver();
  const codingFor = (headers: Record<string, string>) =>
    new Promise<string | undefined>((resolve, reject) => {
      // node:http adds no Accept-Encoding of its own, as fetch does.
      get(`${river.edge.url}/openapi.json`, { headers }, (response) => {
        response.resume();
        resolve(response.headers["content-encoding"]);
      }).on("error", reject);
    });
  expect(await codingFor({})).toBeUndefined();
  expect(await codingFor({ "accept-encoding": "identity" })).toBeUndefined();
  expect(await codingFor({ "accept-encoding": "gzip" })).toBe("gzip");
});
