/**
 * The load generator, a process of its own: makes all requests, connects, then sends as fast as it is answered and prints
 * what it measured. One request a connection at a time; a SIGUSR2 ends it once what is under way was answered.
 */
import { connect, type Socket } from "node:net";
import { AnswerReader } from "./answer-reader.ts";
import type { LoadJob, LoadResult } from "./job.ts";
import { requestsOf } from "./requests.ts";

const job = JSON.parse(process.argv[2] ?? "") as LoadJob;
const lists = requestsOf(job.series, job.connections);
const { hostname, port } = new URL(`http://${job.series.host}`);
const sockets = await Promise.all(lists.map(() => open(Number(port), hostname)));
let isStopping = false;
process.on("SIGUSR2", () => {
  isStopping = true;
});

const latencies: number[] = [];
console.log(`load ready on http://${job.series.host}`);
const ownBefore = process.cpuUsage();
const startedAt = performance.now();
await Promise.all(sockets.map((socket, i) => sendAll(socket, lists[i] ?? [])));
const seconds = (performance.now() - startedAt) / 1000;
const own = process.cpuUsage(ownBefore);
const sorted = Float64Array.from(latencies).sort();
const result: LoadResult = {
  requests: sorted.length,
  seconds,
  p50Ms: sorted[Math.floor(sorted.length / 2)] ?? 0,
  p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
  ownCpuMicros: own.user + own.system,
};
console.log(JSON.stringify(result));
for (const socket of sockets) socket.destroy();

/** Settles once the last was answered. @throws Error at an answer that is not 2xx, or a connection that ends. */
function sendAll(socket: Socket, requests: readonly Uint8Array[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const reader = new AnswerReader();
    let next = 0;
    let sentAt = 0;
    const send = () => {
      const request = isStopping ? undefined : requests[next++];
      if (request === undefined) return resolve();
      sentAt = performance.now();
      socket.write(request);
    };
    socket.on("data", (chunk) => {
      const answer = reader.take(String(chunk));
      if (answer === null) return;
      latencies.push(performance.now() - sentAt);
      if (answer.status < 200 || answer.status > 299)
        return reject(new Error(`${job.series.paths[0]} answered ${answer.status}: ${answer.text.slice(0, 300)}`));
      send();
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`${job.series.paths[0]}: the connection was closed`)));
    send();
  });
}

function open(toPort: number, host: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: toPort, host, noDelay: true }, () => resolve(socket));
    socket.setEncoding("latin1");
    socket.once("error", reject);
  });
}
