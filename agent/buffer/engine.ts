/** Where the store runs: in this thread, or in one of its own so that an fsync holds up nobody. */
import { getAsset, isSea } from "node:sea";
import { Worker } from "node:worker_threads";
import { AgentError, type AgentErrorCode } from "../runtime/agent-error.ts";
import { type GroupResult, openStore, type StoreOptions, type StoreState } from "./store.ts";
import type { Operation, Outcome } from "./transactions/operations.ts";

export interface Engine {
  readonly state: StoreState;
  run(group: readonly Operation[]): Promise<GroupResult>;
  close(): Promise<void>;
}

/** The store in the calling thread; tests use it to stop at crash points. */
export function openInlineEngine(options: StoreOptions): Engine {
  const store = openStore(options);
  return {
    state: store.state,
    run: async (group) => store.run(group),
    close: async () => store.close(),
  };
}

export type ThreadRequest = { readonly kind: "run"; readonly group: readonly Operation[] } | { readonly kind: "close" };

export type ThreadReply =
  | { readonly kind: "open"; readonly state: StoreState }
  | { readonly kind: "refused"; readonly code: AgentErrorCode; readonly message: string }
  | { readonly kind: "done"; readonly result: GroupResult }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "closed" };

/**
 * The store in a thread of its own. Asks one thing at a time, so replies need no numbers.
 * @throws AgentError as {@link openStore}, and LOG_STOPPED from `run` once the thread has ended.
 */
export async function openThreadEngine(options: Omit<StoreOptions, "at">): Promise<Engine> {
  const thread = new Worker(threadSource(), {
    eval: isSea(),
    workerData: options,
    resourceLimits: { maxYoungGenerationSizeMb: 3, maxOldGenerationSizeMb: 48 },
  });
  const calls = createCalls(thread);
  const opened = await calls.reply();
  if (opened.kind === "refused") throw new AgentError(opened.code, opened.message);
  if (opened.kind !== "open") throw new AgentError("LOG_STOPPED", `the log's thread answered ${opened.kind}`);
  return {
    state: opened.state,
    async run(group) {
      const reply = await calls.ask({ kind: "run", group });
      if (reply.kind === "done") return reply.result;
      const why = reply.kind === "failed" ? reply.message : reply.kind;
      throw new AgentError("LOG_STOPPED", `the log could not be written: ${why}`);
    },
    async close() {
      await calls.ask({ kind: "close" });
      await thread.terminate();
    },
  };
}

/** @returns the thread's file, or its code where all of the agent is one executable. */
function threadSource(): URL | string {
  if (isSea()) return getAsset("log-thread.js", "utf8");
  // The packed agent is one bundle a thread, plain JavaScript; from a checkout both are TypeScript.
  const file = import.meta.url.endsWith(".ts") ? "./thread.ts" : "./log-thread.js";
  return new URL(file, import.meta.url);
}

/**
 * The buffers of event runs that travel with a message, handed over instead of copied: whoever asked or answered
 * has no more use for them. Views of a larger buffer are copied, for others may still look at it.
 */
export function buffersOf(parts: readonly (Operation | Outcome)[]): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const part of parts) {
    for (const view of viewsIn(part)) {
      const { buffer } = view;
      const isOwn = buffer instanceof ArrayBuffer && buffer.byteLength === view.byteLength;
      if (isOwn && view.byteLength >= HANDED_OVER_BYTES_MIN) buffers.add(buffer);
    }
  }
  return [...buffers];
}

/** Smaller ones are copied for less. */
const HANDED_OVER_BYTES_MIN = 4096;

/** The event runs that travel with an operation or an outcome. */
export function viewsIn(part: Operation | Outcome): (Uint8Array | Uint32Array)[] {
  if (typeof part !== "object" || part === null || !("kind" in part)) return [];
  if (part.kind === "append" || part.kind === "appendRun") return [part.events.body, part.events.ends];
  return part.kind === "run" ? [part.run.events.body, part.run.events.ends] : [];
}

function createCalls(thread: Worker) {
  let settle: { resolve: (reply: ThreadReply) => void; reject: (error: Error) => void } | null = null;
  let ended: Error | null = null;
  const end = (error: Error) => {
    ended ??= error;
    settle?.reject(error);
    settle = null;
  };
  thread.on("message", (reply: ThreadReply) => {
    const waiting = settle;
    settle = null;
    waiting?.resolve(reply);
  });
  thread.on("error", (cause) => end(new AgentError("LOG_STOPPED", "the log's thread failed", { cause })));
  thread.on("exit", () => end(new AgentError("LOG_STOPPED", "the log's thread has ended")));
  const reply = () =>
    new Promise<ThreadReply>((resolve, reject) => {
      if (ended !== null) reject(ended);
      else settle = { resolve, reject };
    });
  return {
    reply,
    ask(request: ThreadRequest): Promise<ThreadReply> {
      const answer = reply();
      if (ended === null) thread.postMessage(request, request.kind === "run" ? buffersOf(request.group) : []);
      return answer;
    },
  };
}
