/** A server in the place of every vendor: it answers a call by the row of the table that its path begins with. */
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ANSWERS, ELSEWHERE, type Recipient, type Reply } from "./answers.ts";

export interface AnswerServer {
  readonly url: string;
  close(): Promise<void>;
}

const SUCCESS: Record<Recipient, string> = {
  zuora: '{"success":true,"message":"1 usage event(s) ingested successfully"}',
  solvimon: '{"object_type":"CHARGE_DATA","id":"chda_00000000000000000000"}',
  edge: '{"success":true,"message":"taken","accepted":1,"duplicates":0,"conflicts":0,"quarantined":0}',
};

const TOKEN: Reply = { status: 200, body: '{"access_token":"t","token_type":"bearer","expires_in":3600}' };

/** What any of them takes for success, of a call and of a token call. */
const WELCOME: Reply = {
  status: 200,
  body: JSON.stringify({ ...JSON.parse(SUCCESS.edge), access_token: "t", expires_in: 3600 }),
};

export async function openAnswerServer(): Promise<AnswerServer> {
  const calls = new Map<string, number>();
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      const [, at = "", recipient = "", session = "", ...path] = (request.url ?? "").split("/");
      if (request.url === ELSEWHERE.location) return reply(response, WELCOME, "edge");
      const row = ANSWERS[Number(at)];
      const isToken = path.join("/") === "oauth/token";
      // What an agent asks an edge beside its calls.
      if (row === undefined || path[0] === "schemas") return void response.writeHead(503).end();
      const script = isToken ? (row.tokens ?? [TOKEN]) : row.replies;
      const name = `${at}/${session}/${isToken}`;
      const count = calls.get(name) ?? 0;
      calls.set(name, count + 1);
      reply(response, script[Math.min(count, script.length - 1)] ?? "cut", recipient as Recipient);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function reply(response: ServerResponse, scripted: Reply, recipient: Recipient): void {
  const { socket } = response;
  if (typeof scripted === "string") return void socket?.destroy();
  const { status, headers = {}, isCut = false, isUnannounced = false } = scripted;
  const body = Buffer.from(scripted.body === "success" ? SUCCESS[recipient] : scripted.body);
  response.sendDate = false;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (isUnannounced) {
    // A body without a length that is not chunked either ends with its connection.
    response.useChunkedEncodingByDefault = false;
  } else if (status !== 204) response.setHeader("content-length", isCut ? body.length + 100 : body.length);
  response.writeHead(status);
  if (isCut) response.write(body, () => socket?.destroy());
  else response.end(body);
}
