/** The log's own thread: opens the store, then does one group after the other. */
import { parentPort, workerData } from "node:worker_threads";
import { AgentError, messageOf } from "../runtime/agent-error.ts";
import { buffersOf, type ThreadReply, type ThreadRequest, viewsIn } from "./engine.ts";
import { openStore, type Store, type StoreOptions } from "./store.ts";
import { freeBytes } from "./tables/event-run.ts";

function answer(reply: ThreadReply): void {
  parentPort?.postMessage(reply, reply.kind === "done" ? buffersOf(reply.result.outcomes) : []);
}

function serve(store: Store): void {
  parentPort?.on("message", (request: ThreadRequest) => {
    if (request.kind === "close") {
      store.close();
      answer({ kind: "closed" });
      parentPort?.close();
      return;
    }
    try {
      answer({ kind: "done", result: store.run(request.group) });
      // What was handed over is on disk; the collector would come for it much later.
      for (const operation of request.group) for (const view of viewsIn(operation)) freeBytes(view);
    } catch (error) {
      answer({ kind: "failed", message: messageOf(error) });
    }
  });
}

try {
  const store = openStore(workerData as StoreOptions);
  serve(store);
  answer({ kind: "open", state: store.state });
} catch (error) {
  if (!(error instanceof AgentError)) throw error;
  answer({ kind: "refused", code: error.code, message: error.message });
  parentPort?.close();
}
