/** Reaches a buffer: through the agent that holds it, or by holding it ourselves. */
import { type ControlClient, connectControl } from "../control/client.ts";
import { AgentError } from "../runtime/agent-error.ts";
import type { Terminal } from "./terminal.ts";

export type Access<T> =
  | { readonly kind: "running"; readonly client: ControlClient }
  | { readonly kind: "own"; readonly own: T };

/** An agent that holds the buffer but does not answer yet is starting, or one that no longer does is stopping. */
const TRIES = 40;
const BETWEEN_MS = 100;

/** @param open holds the buffer itself; throws AgentError BUFFER_HELD where another process does. */
export async function reachBuffer<T>(
  directory: string,
  open: () => Promise<T> | T,
  { clock }: Pick<Terminal, "clock">,
): Promise<Access<T>> {
  for (let attempt = 1; ; attempt++) {
    const client = await connectControl(directory);
    if (client !== null) return { kind: "running", client };
    try {
      return { kind: "own", own: await open() };
    } catch (error) {
      const held = error instanceof AgentError && error.code === "BUFFER_HELD";
      if (!held || attempt >= TRIES) throw error;
      await clock.sleep(BETWEEN_MS);
    }
  }
}
