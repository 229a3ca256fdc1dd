/** Whether the agent can listen: the port, and the socket's path. */
import { accessSync, constants, lstatSync } from "node:fs";
import { createServer } from "node:net";
import { dirname } from "node:path";
import { request } from "undici";
import { type Config, httpUrl } from "../config/config.ts";
import { readSecretFile } from "../config/secrets.ts";
import { isAnswered } from "../intake/socket-server.ts";
import { fileErrorText } from "../runtime/file-error.ts";
import { type Finding, failed } from "./finding.ts";

/** The kernel's room for a socket's path, less the byte that ends it. */
const SOCKET_PATH_BYTES_MAX = process.platform === "linux" ? 107 : 103;
const OWN_ANSWER_MS = 5_000;

/** @param producer the name of the agent that runs on this buffer; null where none does. */
export async function checkListeners({ listen }: Config, producer: string | null): Promise<Finding[]> {
  const { socket } = listen;
  return [...(await checkPort(listen, producer)), ...(socket === null ? [] : await checkSocket(socket, producer))];
}

async function checkPort(listen: Config["listen"], producer: string | null): Promise<Finding[]> {
  const code = await tryListening(listen.host, listen.port);
  if (code === null) return [];
  const where = `${listen.host}:${listen.port}`;
  switch (code) {
    case "EADDRINUSE":
      if (producer !== null && (await isOwnDoor(listen, producer))) return [];
      return [failed("configuration", `listen.port: another program listens on ${where}; choose another port`)];
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return [failed("configuration", `listen.host: ${listen.host} is no address of this machine (${code})`)];
    case "EACCES":
      return [failed("configuration", `listen.port: this user may not listen on ${where}; choose a port from 1024 up`)];
    default:
      return [failed("configuration", `listen: cannot listen on ${where}: ${code}`)];
  }
}

/** Null, or the code of what is in the way. */
function tryListening(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, host, () => server.close(() => resolve(null)));
  });
}

/** Whether the agent of this buffer is who listens there. */
async function isOwnDoor({ host, port, tokenFile }: Config["listen"], producer: string): Promise<boolean> {
  try {
    const token = tokenFile === null ? null : readSecretFile(tokenFile, "listen.token_file");
    const { body } = await request(`${httpUrl(host, port)}/status`, {
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(OWN_ANSWER_MS),
      reset: true,
    });
    const status: unknown = await body.json();
    return typeof status === "object" && status !== null && "producer" in status && status.producer === producer;
  } catch {
    // Whatever it is, it does not speak as our agent does.
    return false;
  }
}

async function checkSocket(path: string, producer: string | null): Promise<Finding[]> {
  const bytes = Buffer.byteLength(path);
  if (bytes > SOCKET_PATH_BYTES_MAX) {
    const most = SOCKET_PATH_BYTES_MAX;
    return [failed("configuration", `listen.socket: ${path} has ${bytes} bytes, the system takes at most ${most}`)];
  }
  try {
    accessSync(dirname(path), constants.W_OK | constants.X_OK);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return [];
    if (!found.isSocket()) return [failed("configuration", `listen.socket: ${path} is no socket; move it away`)];
    // A running agent's own, or one that a dead process left.
    if (producer !== null || !(await isAnswered(path))) return [];
    return [failed("configuration", `listen.socket: another process listens on ${path}; choose another path`)];
  } catch (error) {
    return [failed("configuration", `listen.socket: its directory cannot be used: ${fileErrorText(error)}`)];
  }
}
