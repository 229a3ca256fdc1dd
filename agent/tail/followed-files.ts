/** The files that are followed, as the configuration names them now: new ones are taken up, those that are gone end. */
import { startTail, type Tail, type TailOptions } from "./tail.ts";

export type FollowedFile = Pick<TailOptions, "path" | "stream" | "intervalMs">;

export interface FollowedFiles {
  /** Resolves once those that are no longer named have ended, and the new ones have begun. */
  follow(files: readonly FollowedFile[]): Promise<void>;
  /** Bytes that were seen in followed files and are certainly gone, since the start. */
  lostBytes(): number;
  stop(): Promise<void>;
}

/** How far a file was read stays on record, so that one that is named again goes on from there. */
export function createFollowedFiles(options: Omit<TailOptions, keyof FollowedFile>): FollowedFiles {
  const running = new Map<string, Tail>();
  let lostBefore = 0;
  let changing: Promise<void> = Promise.resolve();

  const change = async (files: readonly FollowedFile[]) => {
    const wanted = new Map(files.map((file) => [JSON.stringify(file), file]));
    const gone = [...running].filter(([key]) => !wanted.has(key));
    // One whose settings changed is two here: the old one is at rest before the new one reads on.
    await Promise.all(gone.map(([, tail]) => tail.stop()));
    for (const [key, tail] of gone) {
      lostBefore += tail.lostBytes();
      running.delete(key);
    }
    for (const [key, file] of wanted) {
      if (!running.has(key)) running.set(key, startTail({ ...options, ...file }));
    }
  };
  return {
    follow(files) {
      changing = changing.then(() => change(files));
      return changing;
    },
    lostBytes: () => [...running.values()].reduce((sum, tail) => sum + tail.lostBytes(), lostBefore),
    stop: () => changing.then(() => change([])),
  };
}
