/** Requests written by hand onto a connection: what says how long a body is, and where it ends, lies in every way. */
import { connect } from "node:net";
import fc from "fast-check";
import { addressOf, textOf } from "./answers.ts";
import type { FuzzRequest } from "./requests.ts";

/** Pieces are written one after another; after the last the sender closes its half. */
export interface RawRequest {
  readonly framing: string;
  readonly pieces: readonly Buffer[];
}

export interface RawAnswer {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
}

type Head = Pick<FuzzRequest<unknown>, "method" | "target" | "headers">;

const CLOSE = "Connection: close\r\n";

const head = ({ method, target, headers }: Head, framing: string): string => {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const host = "host" in headers ? "" : "Host: localhost\r\n";
  return `${method} ${target} HTTP/1.1\r\n${host}${lines.join("")}${framing}\r\n`;
};

function chunked(body: Buffer, sizes: readonly number[], last: string): Buffer {
  const chunks: Buffer[] = [];
  for (let [from, n] = [0, 0]; from < body.length; n++) {
    const chunk = body.subarray(from, from + Math.max(1, sizes[n % sizes.length] ?? 1));
    chunks.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n"));
    from += chunk.length;
  }
  return Buffer.concat([...chunks, Buffer.from(last)]);
}

/** Each framing of a request: its bytes before the body, the body's own, and what stands between and behind. */
type Framing = (request: Head, body: Buffer, sizes: readonly number[]) => Buffer[];

const whole = (text: string, ...rest: readonly Buffer[]) => [Buffer.concat([Buffer.from(text, "latin1"), ...rest])];
const lying = (length: (bytes: number) => string): Framing => {
  return (request, body) => whole(head(request, `Content-Length: ${length(body.length)}\r\n${CLOSE}`), body);
};
const TE = `Transfer-Encoding: chunked\r\n${CLOSE}`;

const FRAMINGS: Readonly<Record<string, Framing>> = {
  "a length too short": lying((bytes) => String(Math.floor(bytes / 2))),
  "a length too long": lying((bytes) => String(bytes + 7)),
  "no number for a length": lying(() => "+5"),
  "a negative length": lying((bytes) => `-${bytes}`),
  "a length in hexadecimal": lying((bytes) => `0x${bytes.toString(16)}`),
  "a length beyond any number": lying(() => "9".repeat(40)),
  "two lengths in one": lying((bytes) => `${bytes}, ${bytes}`),
  "two lengths": lying((bytes) => `${bytes}\r\nContent-Length: ${bytes + 1}`),
  "no length": (request, body) => whole(head(request, CLOSE), body),
  "a length and chunks": (request, body, sizes) =>
    whole(head(request, `Content-Length: ${body.length}\r\n${TE}`), chunked(body, sizes, "0\r\n\r\n")),
  chunks: (request, body, sizes) => whole(head(request, TE), chunked(body, sizes, "0\r\n\r\n")),
  "chunks with extensions and a trailer": (request, body, sizes) =>
    whole(
      head(request, `Trailer: X-Api-Key\r\n${TE}`),
      chunked(body, sizes, "0;a=b\r\nX-Api-Key: x\r\nContent-Length: 3\r\n\r\n"),
    ),
  "chunks without an end": (request, body, sizes) => whole(head(request, TE), chunked(body, sizes, "")),
  "a chunk of no hexadecimal": (request, body) => whole(head(request, TE), Buffer.from("zz\r\n"), body),
  "a chunk larger than any": (request, body) => whole(head(request, TE), Buffer.from("ffffffffffffffff\r\n"), body),
  "another transfer coding": (request, body) =>
    whole(head(request, `Transfer-Encoding: chunked, gzip\r\n${CLOSE}`), chunked(body, [100], "0\r\n\r\n")),
  "a hidden transfer coding": (request, body) =>
    whole(
      head(request, `Content-Length: ${body.length}\r\nTransfer-Encoding : chunked\r\n${CLOSE}`),
      chunked(body, [100], "0\r\n\r\n"),
    ),
  "bare line feeds": (request, body) =>
    whole(head(request, `Content-Length: ${body.length}\r\n${CLOSE}`).replaceAll("\r\n", "\n"), body),
  "a folded header": (request, body) =>
    whole(head(request, `X-Folded: a\r\n b\r\nContent-Length: ${body.length}\r\n${CLOSE}`), body),
  "a NUL in a header": (request, body) =>
    whole(head(request, `X-Nul: a\u0000b\r\nContent-Length: ${body.length}\r\n${CLOSE}`), body),
  "100-continue": (request, body) =>
    whole(head(request, `Expect: 100-continue\r\nContent-Length: ${body.length}\r\n${CLOSE}`), body),
  "an upgrade": (request, body) =>
    whole(head(request, `Upgrade: h2c\r\nConnection: Upgrade, close\r\nContent-Length: ${body.length}\r\n`), body),
  "HTTP/1.0": (request, body) =>
    whole(head(request, `Content-Length: ${body.length}\r\n`).replace("HTTP/1.1", "HTTP/1.0"), body),
  "the preface of HTTP/2": (request, body) => [
    ...whole("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ...whole(head(request, CLOSE), body),
  ],
  "byte by byte in its head": (request, body) => {
    const text = head(request, `Content-Length: ${body.length}\r\n${CLOSE}`);
    const at = Math.min(40, text.length);
    return [...Array.from(text.slice(0, at), (one) => Buffer.from(one, "latin1")), ...whole(text.slice(at), body)];
  },
  "three behind one another": (request, body, sizes) => [
    ...whole(head(request, `Content-Length: ${body.length}\r\n`), body),
    ...whole(head(request, "Transfer-Encoding: chunked\r\n"), chunked(body, sizes, "0\r\n\r\n")),
    ...whole(head(request, `Content-Length: ${body.length}\r\n${CLOSE}`), body),
  ],
};

/** A request under some framing of {@link FRAMINGS}. */
export function rawRequestOf<Caller>(
  requests: fc.Arbitrary<FuzzRequest<Caller>>,
  credentials: (caller: Caller) => Readonly<Record<string, string>>,
): fc.Arbitrary<RawRequest & { readonly request: FuzzRequest<Caller> }> {
  const sizes = fc.array(fc.constantFrom(1, 2, 7, 100, 4096, 65_536), { minLength: 1, maxLength: 4 });
  return fc
    .record({ request: requests, framing: fc.constantFrom(...Object.keys(FRAMINGS)), sizes })
    .map(({ request, framing, sizes: chunks }) => {
      const { caller, target, headers, body } = request;
      // An answer to HEAD has no body, whatever it says of one.
      const method = request.method === "HEAD" ? "GET" : request.method;
      // Bodies in chunks of one byte are as many lines.
      const short = body.subarray(0, 100_000);
      const asked = { method, target, headers: { ...headers, ...credentials(caller) } };
      const pieces = FRAMINGS[framing]?.(asked, short, chunks) ?? [];
      return { framing, pieces, request: { ...request, method, body: short } };
    });
}

const RAW_MS_MAX = 30_000;

/** Writes a request as it stands; all that came until the other side closed, or null where it never did. */
export function sendRaw(url: string, { pieces }: RawRequest): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const heard: Buffer[] = [];
    const socket = connect({ ...addressOf(url), allowHalfOpen: true });
    const timer = setTimeout(() => {
      socket.destroy();
      resolve(null);
    }, RAW_MS_MAX);
    socket.on("data", (chunk: Buffer) => heard.push(chunk));
    // A reset is as good an end as any.
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(Buffer.concat(heard));
    });
    for (const piece of pieces) socket.write(piece);
    socket.end();
  });
}

/** The answers in what came, interim ones left out; null where it is no whole run of HTTP/1.1 answers. */
export function answersIn(heard: Buffer): RawAnswer[] | null {
  const answers: RawAnswer[] = [];
  let rest = heard.toString("latin1");
  while (rest !== "") {
    const end = rest.indexOf("\r\n\r\n");
    const [first = "", ...lines] = rest.slice(0, Math.max(0, end)).split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1]);
    if (end < 0 || Number.isNaN(status)) return null;
    const headers = new Map(lines.map((line) => [line.split(":", 1)[0]?.toLowerCase() ?? "", valueIn(line)]));
    rest = rest.slice(end + 4);
    if (status < 200) continue;
    const body = headers.get("transfer-encoding") === "chunked" ? chunkedBody(rest) : lengthBody(rest, headers);
    if (body === null) return null;
    answers.push({ status, headers, text: textOf(Buffer.from(body.text, "latin1"), headers.get("content-encoding")) });
    rest = body.rest;
  }
  return answers;
}

function valueIn(line: string): string {
  return line.slice(line.indexOf(":") + 1).trim();
}

function lengthBody(rest: string, headers: ReadonlyMap<string, string>) {
  const length = Number(headers.get("content-length") ?? 0);
  return rest.length < length ? null : { text: rest.slice(0, length), rest: rest.slice(length) };
}

function chunkedBody(text: string): { readonly text: string; readonly rest: string } | null {
  let [body, rest] = ["", text];
  for (;;) {
    const [size] = /^[0-9a-f]+\r\n/i.exec(rest) ?? [];
    if (size === undefined) return null;
    const length = Number.parseInt(size, 16);
    body += rest.slice(size.length, size.length + length);
    rest = rest.slice(size.length + length + 2);
    if (length === 0) return { text: body, rest };
  }
}
