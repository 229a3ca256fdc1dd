/** A proxy between agent and edge that fails at random: calls cut before or after they arrive, refused, held up, answered askew. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface FaultyProxy {
  readonly url: string;
  /** How many calls it disturbed, by how. */
  readonly disturbed: ReadonlyMap<string, number>;
  /** Lets everything through from here on. */
  calm(): void;
  close(): Promise<void>;
}

/** Of a call with more events than this in bytes, some are refused as too large. */
const LARGE_BYTES = 600;
const DELAY_MS_MAX = 300;

/** @param random a number in [0, 1). */
export async function startFaultyProxy(targetUrl: string, random: () => number): Promise<FaultyProxy> {
  const disturbed = new Map<string, number>();
  let isCalm = false;
  const server = createServer((request, response) => {
    pass(request, response).catch((error: unknown) => {
      // The edge itself was gone, or the agent died in the middle: a cut is what that looks like.
      if (!(error instanceof Error)) throw error;
      response.destroy();
    });
  });
  const note = (how: string) => disturbed.set(how, (disturbed.get(how) ?? 0) + 1);

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    const how = isCalm || request.method !== "POST" ? null : disturbanceOf(body.length, random);
    if (how !== null) note(how);
    switch (how) {
      case "cut-before":
        response.destroy();
        return;
      case "cut-after":
        await forward(targetUrl, request, body);
        response.destroy();
        return;
      case "askew":
        await forward(targetUrl, request, body);
        answer(response, 200, { "content-type": "application/json" }, Buffer.from('{"success":true}'));
        return;
      case "held-up":
        await new Promise((resolve) => setTimeout(resolve, random() * DELAY_MS_MAX));
        break;
      case "429":
        answer(response, 429, { "retry-after": "0" }, Buffer.from("{}"));
        return;
      case "401":
      case "413":
      case "503":
        answer(response, Number(how), {}, Buffer.from("{}"));
        return;
    }
    const { status, headers, bytes } = await forward(targetUrl, request, body);
    answer(response, status, headers, bytes);
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    disturbed,
    calm() {
      isCalm = true;
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** One call in three is disturbed. */
function disturbanceOf(bytes: number, random: () => number) {
  const drawn = random();
  if (drawn < 0.06) return "cut-before";
  if (drawn < 0.12) return "cut-after";
  if (drawn < 0.17) return "503";
  if (drawn < 0.2) return "429";
  if (drawn < 0.23) return "askew";
  if (drawn < 0.24) return "401";
  if (drawn < 0.28) return bytes > LARGE_BYTES ? "413" : null;
  return drawn < 0.34 ? "held-up" : null;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Headers that are one connection's own, and those that fetch sets itself. */
const NOT_PASSED_ON = new Set(["connection", "keep-alive", "transfer-encoding", "content-length", "host", "expect"]);

async function forward(targetUrl: string, request: IncomingMessage, body: Buffer<ArrayBuffer>) {
  const headers = Object.entries(request.headers).flatMap(([name, value]): [string, string][] =>
    NOT_PASSED_ON.has(name) || value === undefined ? [] : [[name, String(value)]],
  );
  const isPost = request.method === "POST";
  const response = await fetch(targetUrl + (request.url ?? "/"), {
    method: request.method ?? "GET",
    headers: [...headers.filter(([name]) => name !== "accept-encoding"), ["accept-encoding", "identity"]],
    ...(isPost ? { body } : {}),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  const back = [...response.headers].filter(([name]) => !NOT_PASSED_ON.has(name) && name !== "content-encoding");
  return { status: response.status, headers: Object.fromEntries(back), bytes };
}

function answer(response: ServerResponse, status: number, headers: Record<string, string>, body: Buffer): void {
  if (response.destroyed) return;
  response.writeHead(status, { ...headers, "content-length": String(body.length) });
  response.end(body);
}
