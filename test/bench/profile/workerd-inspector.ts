/** Profiles of what runs in workerd, by its inspector: the Worker, and D1's own, which stands beside it. */
import { once } from "node:events";
import { WebSocket } from "undici";
import type { CpuProfile } from "./cpu-profile.ts";

/** Finer, and the profiler is what is measured: a sample costs workerd a good part of a millisecond. */
const SAMPLING_MICROS = 1_000;

interface Target {
  readonly id: string;
  readonly title?: string;
  readonly webSocketDebuggerUrl: string;
}

export interface RunningProfile {
  stop(): Promise<readonly { readonly name: string; readonly profile: CpuProfile }[]>;
}

/** Profiles every isolate that the inspector names and that answers. @param port where it listens on 127.0.0.1. */
export async function profileWorkerd(port: number): Promise<RunningProfile> {
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as readonly Target[];
  const sessions = await Promise.all(
    targets.map(async ({ id, webSocketDebuggerUrl }) => ({ name: id, session: await open(webSocketDebuggerUrl) })),
  );
  for (const { session } of sessions) {
    await session.call("Profiler.enable", {});
    await session.call("Profiler.setSamplingInterval", { interval: SAMPLING_MICROS });
    await session.call("Profiler.start", {});
  }
  return {
    stop: async () => {
      const profiles = [];
      for (const { name, session } of sessions) {
        const { profile } = (await session.call("Profiler.stop", {})) as { profile: CpuProfile };
        profiles.push({ name, profile });
        session.close();
      }
      return profiles;
    },
  };
}

interface Session {
  call(method: string, params: object): Promise<unknown>;
  close(): void;
}

interface Reply {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

async function open(url: string): Promise<Session> {
  const socket = new WebSocket(url);
  await once(socket, "open");
  const waiting = new Map<number, (reply: Reply) => void>();
  socket.addEventListener("message", ({ data }) => {
    const reply = JSON.parse(String(data)) as Reply;
    if (reply.id !== undefined) waiting.get(reply.id)?.(reply);
  });
  let last = 0;
  return {
    call: (method, params) =>
      new Promise((resolve, reject) => {
        const id = ++last;
        waiting.set(id, ({ result, error }) => {
          waiting.delete(id);
          if (error === undefined) resolve(result);
          else reject(new Error(`${method}: ${error.message}`));
        });
        socket.send(JSON.stringify({ id, method, params }));
      }),
    close: () => socket.close(),
  };
}
