/**
 * Keeps an instance within its memory: a Worker has 128 MB, and a body takes many times its size while it is
 * parsed and filed. Bodies are let in up to a sum of bytes, in their order; small ones hardly ever wait.
 */

/** Bytes of bodies being worked on at once. */
const WORKING_BYTES_MAX = 6_000_000;
/** Bytes of bodies that may wait for their turn; beyond it the sender is asked to come back. */
const WAITING_BYTES_MAX = 48_000_000;

export class Admission {
  private working = 0;
  private waiting = 0;
  private readonly queue: { readonly bytes: number; readonly enter: () => void }[] = [];

  /** Settles when the body may be worked on, with what is to be called at its end; null where too many wait. */
  async enter(bytes: number): Promise<(() => void) | null> {
    if (this.queue.length > 0 || !this.hasRoom(bytes)) {
      if (this.waiting + bytes > WAITING_BYTES_MAX) return null;
      this.waiting += bytes;
      await new Promise<void>((resolve) => this.queue.push({ bytes, enter: resolve }));
    } else this.working += bytes;
    return () => this.leave(bytes);
  }

  /** A body larger than the whole room enters alone. */
  private hasRoom(bytes: number): boolean {
    return this.working === 0 || this.working + bytes <= WORKING_BYTES_MAX;
  }

  private leave(bytes: number): void {
    this.working -= bytes;
    for (let next = this.queue[0]; next !== undefined && this.hasRoom(next.bytes); next = this.queue[0]) {
      this.queue.shift();
      this.waiting -= next.bytes;
      this.working += next.bytes;
      next.enter();
    }
  }
}
