/** Connections that are written to by hand: what no HTTP client would send. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import type { Setup } from "./setup.ts";

const PATH = "/usage/bulk/m";
const TYPE = "Content-Type: application/json\r\n";

export interface RawClient {
  readonly socket: Socket;
  /** What came until the other side was done with the connection. */
  readonly received: Promise<string>;
  heard(): string;
}

/** Opens a connection to an agent and writes a text as it stands. */
export async function openRaw(agent: Pick<Setup, "agent">, text: string): Promise<RawClient> {
  const { hostname, port } = new URL(agent.agent.url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  let heard = "";
  socket.on("data", (chunk) => {
    heard += String(chunk);
  });
  // A reset is as good an end as any.
  socket.on("error", () => {});
  // Closed, not half: then what is written is answered by a reset.
  socket.on("end", () => {
    const poking = setInterval(() => socket.write("x"), 20);
    socket.once("close", () => clearInterval(poking));
  });
  const received = new Promise<string>((resolve) => {
    socket.on("close", () => resolve(heard));
  });
  await once(socket, "connect");
  socket.write(text);
  return { socket, received, heard: () => heard };
}

/** A POST of events, its body as it stands. */
export const rawPost = (headers: string, body = "", path = PATH) =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${TYPE}${headers}\r\n${body}`;
/** One that is whole. */
export const wholePost = (body: string) => rawPost(`Content-Length: ${body.length}\r\n`, body);
/** The statuses of the answers in a text. */
export const statusesIn = (text: string) =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
