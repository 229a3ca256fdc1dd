/** The latest ingest calls, for tests that look at how a sender packed and repeated them. Holds no secret. */
import type { IncomingHttpHeaders } from "node:http";
import { headerOf } from "./handled-call.ts";

const KEPT_MAX = 1_000;

/** Headers worth showing; credentials are not among them. */
const SHOWN = ["content-type", "x-platform-id", "zuora-entity-ids", "zuora-org-ids", "zuora-track-id", "user-agent"];

export interface LoggedCall {
  readonly path: string;
  /** What was answered; null where the connection was cut. */
  readonly status: number | null;
  readonly idempotency_key: string | null;
  /** Events accepted by this very call: 0 for a repeat, a refusal, a cut. */
  readonly events: number;
  /** Bytes on the wire. */
  readonly bytes: number;
  readonly gzip: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

export class RequestLog {
  #received = 0;
  readonly #calls: LoggedCall[] = [];

  add(call: Omit<LoggedCall, "idempotency_key" | "headers">, headers: IncomingHttpHeaders): void {
    this.#received++;
    const shown = SHOWN.flatMap((name) => {
      const value = headerOf(headers, name);
      return value === null ? [] : [[name, value] as const];
    });
    const idempotency_key = headerOf(headers, "idempotency-key");
    this.#calls.push({ ...call, idempotency_key, headers: Object.fromEntries(shown) });
    if (this.#calls.length > KEPT_MAX) this.#calls.shift();
  }

  /** Ingest calls received since the start or the last clearing, whatever became of them. */
  get received(): number {
    return this.#received;
  }

  /** The latest calls, oldest first. */
  list(): readonly LoggedCall[] {
    return [...this.#calls];
  }

  clear(): void {
    this.#received = 0;
    this.#calls.length = 0;
  }
}
