/** Debian's Chromium without a window, driven over its DevTools pipe: messages of JSON that end with a zero byte. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { tempDir } from "../../../tools/processes/temp-dir.ts";

const CHROMIUM = "/usr/bin/chromium";

export const hasChromium = spawnSync(CHROMIUM, ["--version"], { stdio: "ignore" }).status === 0;

export interface Page {
  /** The value of an expression in the page, promises awaited. Throws what the page throws. */
  evaluate(expression: string): Promise<unknown>;
}

export interface Browser {
  /** Opens a page and waits until it is loaded. */
  open(url: string): Promise<Page>;
  close(): Promise<void>;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

type Send = (method: string, params?: object, sessionId?: string) => Promise<Record<string, unknown>>;

/** @param hosts names → addresses, whatever DNS says. */
export async function openChromium(hosts: Readonly<Record<string, string>>): Promise<Browser> {
  const profile = tempDir("weir-chromium");
  const rules = Object.entries(hosts).map(([name, address]) => `MAP ${name} ${address}`);
  const flags = [
    "--headless=new",
    // A test may run as root, where the sandbox does not.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    `--user-data-dir=${profile.path}`,
    `--host-resolver-rules=${rules.join(", ")}`,
    "--remote-debugging-pipe",
  ];
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", CHROMIUM, ...flags], {
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
  });
  const closed = once(child, "close");
  const { send, loaded } = talk(child.stdio[3] as Writable, child.stdio[4] as Readable, closed);
  return {
    async open(url) {
      const { targetId } = await send("Target.createTarget", { url: "about:blank" });
      const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
      const session = String(sessionId);
      await send("Page.enable", {}, session);
      const isLoaded = loaded(session);
      await send("Page.navigate", { url }, session);
      await isLoaded;
      return { evaluate: (expression) => evaluate(send, session, expression) };
    },
    async close() {
      await send("Browser.close").catch(() => undefined);
      await closed;
      profile.remove();
    },
  };
}

async function evaluate(send: Send, session: string, expression: string): Promise<unknown> {
  const params = { expression, awaitPromise: true, returnByValue: true };
  const { result, exceptionDetails } = await send("Runtime.evaluate", params, session);
  if (exceptionDetails !== undefined) throw new Error(`in the page: ${JSON.stringify(exceptionDetails)}`);
  return (result as { readonly value?: unknown }).value;
}

function talk(commands: Writable, answers: Readable, closed: Promise<unknown>) {
  const waiting = new Map<number, (message: Message) => void>();
  const loads = new Map<string, () => void>();
  let last = 0;
  let rest = "";
  commands.on("error", () => undefined);
  answers.setEncoding("utf8").on("data", (text: string) => {
    const messages = (rest + text).split("\0");
    rest = messages.pop() ?? "";
    for (const message of messages.map((one) => JSON.parse(one) as Message)) {
      if (message.id !== undefined) waiting.get(message.id)?.(message);
      else if (message.method === "Page.loadEventFired") loads.get(message.sessionId ?? "")?.();
    }
  });
  const send: Send = async (method, params = {}, sessionId = undefined) => {
    const id = ++last;
    const answered = new Promise<Message>((resolve) => waiting.set(id, resolve));
    commands.write(`${JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`);
    const ended = closed.then((): Message => ({ error: { message: "the browser ended" } }));
    const { result, error } = await Promise.race([answered, ended]);
    waiting.delete(id);
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  };
  const loaded = (session: string) => new Promise<void>((resolve) => loads.set(session, resolve));
  return { send, loaded };
}
