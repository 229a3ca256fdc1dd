/**
 * Connections that are kept open between calls may be closed by the other side just as the next call goes out. That
 * says nothing about the destination, so it is told apart from a call that failed.
 */
import { Client, type Dispatcher, Pool } from "undici";

/** A connection that had brought answers before ended before the first byte of this one. */
export class KeptConnectionClosed extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
    this.name = "KeptConnectionClosed";
  }
}

/** The other side closed, in undici's words and the kernel's. */
const CLOSED = new Set(["UND_ERR_SOCKET", "ECONNRESET", "ECONNABORTED", "EPIPE"]);

/** One connection at a time, one call at a time on it. */
class WatchedClient extends Client {
  #answered = false;

  constructor(origin: URL | string, options: Client.Options) {
    super(origin, options);
    this.on("connect", () => {
      this.#answered = false;
    });
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    let kept = false;
    let begun = false;
    return super.dispatch(options, {
      onRequestStart: (controller, context) => {
        kept = this.#answered;
        handler.onRequestStart?.(controller, context);
      },
      onRequestUpgrade: (...upgrade) => handler.onRequestUpgrade?.(...upgrade),
      onResponseStarted: () => {
        begun = true;
        handler.onResponseStarted?.();
      },
      // Handed on as it is: what it returns tells whether to go on reading.
      onResponseStart: (...start) => handler.onResponseStart?.(...start),
      onResponseData: (...data) => handler.onResponseData?.(...data),
      onResponseEnd: (controller, trailers) => {
        this.#answered = true;
        handler.onResponseEnd?.(controller, trailers);
      },
      onResponseError: (controller, error) => {
        const closed = "code" in error && CLOSED.has(String(error.code));
        handler.onResponseError?.(controller, kept && !begun && closed ? new KeptConnectionClosed(error) : error);
      },
    });
  }
}

/**
 * Makes the pools of an undici agent: at most `connections` at once, each watched.
 * @param fresh whether every call gets a connection of its own.
 */
export function watchedPools(connections: number, fresh: boolean) {
  const one = { pipelining: fresh ? 0 : 1 };
  return (origin: URL | string, options: object): Dispatcher =>
    new Pool(origin, {
      ...options,
      ...one,
      connections,
      factory: (to: URL, of: object) => new WatchedClient(to, { ...of, ...one }),
    });
}
