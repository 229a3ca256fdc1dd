/** Reads answers from a connection with as little work as tells that one is whole: the generator must not be what is measured. */

const HEAD_END = "\r\n\r\n";
const LAST_CHUNK = "0\r\n\r\n";

export interface Answer {
  readonly status: number;
  /** Its body, chunk lengths included where it came in chunks. */
  readonly text: string;
}

/** One answer at a time: nothing is asked before the last one was read. */
export class AnswerReader {
  #received = "";

  /**
   * Takes what came; the answer once it is whole, else null.
   * @throws Error where an answer says neither its length nor that it comes in chunks.
   */
  take(chunk: string): Answer | null {
    this.#received = this.#received === "" ? chunk : this.#received + chunk;
    const received = this.#received;
    const headEnd = received.indexOf(HEAD_END);
    if (headEnd < 0) return null;
    const bodyAt = headEnd + HEAD_END.length;
    if (!isWhole(received, bodyAt)) return null;
    this.#received = "";
    return { status: Number(received.slice(9, 12)), text: received.slice(bodyAt) };
  }
}

function isWhole(received: string, bodyAt: number): boolean {
  const head = received.slice(0, bodyAt);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) return received.length - bodyAt >= Number(length);
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) throw new Error(`an answer without an end:\n${head}`);
  return received.length - bodyAt >= LAST_CHUNK.length && received.endsWith(LAST_CHUNK);
}
