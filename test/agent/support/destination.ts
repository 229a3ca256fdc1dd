/** A destination that answers as a test says, and by itself as an edge does: each position is taken once. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { gunzipSync } from "node:zlib";
import { scanJson } from "../../../shared/json/bodies.ts";
import { scanMembers } from "../../../shared/json/document.ts";
import { digestByTheBook, type TakenEvent } from "../../support/ledger-digest.ts";

export interface ReceivedCall {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The source text of each event. */
  readonly events: readonly string[];
  readonly stream: string;
  readonly first: number;
  /** How many calls its connection brought before. */
  readonly earlier: number;
}

/** What to do with a call: an answer, `undefined` for the edge's own, "cut" for none at all, "hang" for no response. */
export type Reply =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown }
  | "cut"
  | "take-and-cut"
  | "hang"
  | undefined;

export interface Destination {
  readonly url: string;
  readonly calls: ReceivedCall[];
  /** Events by `STREAM PRODUCER POSITION`, taken once each. */
  readonly taken: Map<string, string>;
  /** A position that was sent again with other content. */
  readonly disagreements: string[];
  schemas: unknown;
  /** What the edge answers to GET /delivery; null, and it has no such route. */
  delivery: unknown;
  /** What a request for the schemas is refused with. */
  schemasRefusal: { readonly status: number; readonly body: unknown } | null;
  reply: (call: ReceivedCall, index: number) => Reply | Promise<Reply>;
  close(): Promise<void>;
}

const LIMITS = { eventsMax: 100_000, eventBytesMax: 10_000_000 };

/** Longer than any test: a connection is closed here only because a test says so. */
const KEEP_ALIVE_MS = 600_000;

export interface Identity {
  readonly key: string;
  readonly cert: string;
}

/** @param identity for https: key and certificate in PEM. */
export async function openDestination(identity?: Identity): Promise<Destination> {
  const brought = new WeakMap<Socket, number>();
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    const { socket } = request;
    const earlier = brought.get(socket) ?? 0;
    brought.set(socket, earlier + 1);
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => void handle(request.url ?? "", request.headers, Buffer.concat(chunks), earlier, response));
  };
  // What a server of our days offers: whoever asks for HTTP/2 gets it, and this one then understands nothing.
  const server =
    identity === undefined
      ? createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, listener)
      : createTlsServer({ ...identity, keepAliveTimeout: KEEP_ALIVE_MS, ALPNProtocols: ["h2", "http/1.1"] }, listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  const destination: Destination = {
    url: `${identity === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    calls: [],
    taken: new Map(),
    disagreements: [],
    schemas: null,
    delivery: null,
    schemasRefusal: null,
    reply: () => undefined,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };

  async function handle(
    path: string,
    headers: IncomingHttpHeaders,
    raw: Buffer,
    earlier: number,
    response: ServerResponse,
  ) {
    if (path.endsWith("/schemas")) {
      const { schemasRefusal: refusal } = destination;
      if (refusal !== null) return send(response, refusal.status, {}, refusal.body);
      send(response, destination.schemas === null ? 503 : 200, {}, destination.schemas ?? {});
      return;
    }
    if (path.startsWith("/delivery?")) {
      const { delivery } = destination;
      return send(response, delivery === null ? 404 : 200, {}, delivery ?? {});
    }
    if (path.startsWith("/ledger?producer=")) {
      const producer = decodeURIComponent(path.slice("/ledger?producer=".length));
      send(response, 200, {}, { items: ledgerOf(producer, destination.taken) });
      return;
    }
    // A form, such as a token is asked for with, holds no events, and a calculation is whatever a client sent.
    const isForm = headers["content-type"] === "application/x-www-form-urlencoded";
    const call = path.startsWith("/v1/events/calculate")
      ? { path, headers, body: calculationIn(headers, raw), events: [], stream: "", first: 0, earlier }
      : { ...callOf(path, headers, isForm ? Buffer.from("{}") : raw), earlier };
    const index = destination.calls.push(call) - 1;
    const reply = await destination.reply(call, index);
    if (reply === "hang") return;
    if (reply === "cut") return void response.socket?.destroy();
    if (reply === undefined || reply === "take-and-cut") {
      const answer = takeAll(call, destination);
      if (reply === undefined) send(response, 200, {}, answer);
      else response.socket?.destroy();
      return;
    }
    send(
      response,
      reply.status,
      reply.headers ?? {},
      reply.body ?? { success: false, message: "scripted", reasons: [] },
    );
  }
  return destination;
}

/** A producer's rows, reckoned anew from what was taken. */
export function ledgerOf(producer: string, taken: ReadonlyMap<string, string>) {
  const streams = new Map<string, TakenEvent[]>();
  for (const [key, event] of taken) {
    const [stream = "", owner, position] = key.split(" ");
    if (owner === producer) streams.set(stream, [...(streams.get(stream) ?? []), [Number(position), event]]);
  }
  return [...streams].map(([stream, events]) => {
    const positions = events.map(([position]) => position).sort((a, b) => a - b);
    const gaps = positions.flatMap((position, i): [number, number][] => {
      const before = positions[i - 1] ?? position - 1;
      return before + 1 < position ? [[before + 1, position - 1]] : [];
    });
    const ends = { first_sequence: positions[0], last_sequence: positions.at(-1) };
    return {
      kind: "usage",
      stream,
      producer,
      ...ends,
      gaps,
      gaps_total: gaps.length,
      digest: digestByTheBook(events),
      digested: events.length,
    };
  });
}

/** What is no gzip, though it says so, comes as it is. */
function calculationIn(headers: IncomingHttpHeaders, raw: Buffer): string {
  try {
    return (headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw).toString("utf8");
  } catch {
    return raw.toString("utf8");
  }
}

function callOf(path: string, headers: IncomingHttpHeaders, raw: Buffer): Omit<ReceivedCall, "earlier"> {
  const body = (headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw).toString("utf8");
  const list = solvimonList(body);
  const scanned = scanJson(list ?? body, LIMITS);
  if (scanned.kind === "invalid") throw new Error(`the agent sent what is no JSON: ${scanned.error.message}`);
  const name = decodeURIComponent(path.split("/").at(-1) ?? "");
  return {
    path,
    headers,
    body,
    events: scanned.events.map((event) => event.source),
    stream: path.startsWith("/v1/ingest/")
      ? name.replace(/-datas?$/, "").replace(/^meter$/, "meter-data")
      : `usage/${name}`,
    first: Number(headers["weir-sequence"]),
  };
}

/** The events' list out of one of Solvimon's list bodies; null for any other body. */
function solvimonList(body: string): string | null {
  const scanned = scanMembers(body, 2);
  if (scanned.kind === "invalid") return null;
  return [...scanned.members].find(([name]) => name.endsWith("_datas"))?.[1].source ?? null;
}

/** As the edge does: a new position is accepted, one it has is a duplicate. */
export function takeAll(call: ReceivedCall, destination: Pick<Destination, "taken" | "disagreements">) {
  let accepted = 0;
  for (const [index, source] of call.events.entries()) {
    const key = `${call.stream} ${call.headers["weir-producer"]} ${call.first + index}`;
    const before = destination.taken.get(key);
    if (before === undefined) accepted++;
    else if (before !== source) destination.disagreements.push(key);
    destination.taken.set(key, source);
  }
  const duplicates = call.events.length - accepted;
  return { success: true, message: "taken", accepted, duplicates, conflicts: 0, quarantined: 0 };
}

function send(response: ServerResponse, status: number, headers: Readonly<Record<string, string>>, body: unknown) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(text);
}
