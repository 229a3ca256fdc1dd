/** A command whose reader goes away, as in `COMMAND | head -1`. */
import { type ChildProcess, spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";
import { ROOT } from "./markdown.ts";

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/**
 * Runs a script of the project until it ends, with stdout closed by its reader.
 * @param afterCharacters how much is read before that; 0 closes it before the script prints.
 */
export async function runIntoClosedPipe(
  script: string,
  args: readonly string[],
  afterCharacters: number,
): Promise<Ended> {
  const child = spawn(process.execPath, [script, ...args], { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<Omit<Ended, "stderr">>((resolve) => {
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
  // SIGTERM, at which each of them ends what it has started.
  onTestFinished(async () => {
    child.kill("SIGTERM");
    await ended;
  });
  closeStdout(child, afterCharacters);
  const stderr = await text(child.stderr as NonNullable<ChildProcess["stderr"]>);
  return { ...(await ended), stderr };
}

function closeStdout({ stdout }: ChildProcess, afterCharacters: number): void {
  let read = 0;
  if (afterCharacters === 0) stdout?.destroy();
  stdout?.on("data", (chunk: Buffer) => {
    read += chunk.length;
    if (read >= afterCharacters) stdout.destroy();
  });
}
