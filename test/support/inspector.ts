/** A Worker's isolate through its inspector: what its heap holds. */

export interface Inspector {
  /** After a forced collection: the heap, with what array buffers hold beside it. */
  heapBytes(): Promise<number>;
  close(): void;
}

interface HeapUsage {
  readonly usedSize: number;
  readonly embedderHeapUsedSize?: number;
  readonly backingStorageSize?: number;
}

/** @param url of workerd's inspector. */
export async function openInspector(url: string): Promise<Inspector> {
  const targets = (await (await fetch(`${url}/json`)).json()) as { id: string; webSocketDebuggerUrl: string }[];
  const target = targets.find(({ id }) => id.includes("weir")) ?? targets[0];
  if (target === undefined) throw new Error("the inspector shows no isolate");
  const socket = new WebSocket(target.webSocketDebuggerUrl);
  const waiting = new Map<number, (result: unknown) => void>();
  let last = 0;
  socket.addEventListener("message", ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id?: number; result?: unknown };
    if (id === undefined) return;
    waiting.get(id)?.(result);
    waiting.delete(id);
  });
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve, { once: true });
    socket.addEventListener("error", () => reject(new Error("the inspector does not answer")), { once: true });
  });
  const ask = (method: string) =>
    new Promise<unknown>((resolve) => {
      const id = ++last;
      waiting.set(id, resolve);
      socket.send(JSON.stringify({ id, method }));
    });
  return {
    async heapBytes() {
      await ask("HeapProfiler.collectGarbage");
      const usage = (await ask("Runtime.getHeapUsage")) as HeapUsage;
      return usage.usedSize + (usage.embedderHeapUsedSize ?? 0) + (usage.backingStorageSize ?? 0);
    },
    close: () => socket.close(),
  };
}
