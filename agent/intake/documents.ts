/**
 * Documents about the whole agent, status and metrics, at a bounded cost however many ask: of thousands of streams each is
 * megabytes.
 */
import { HEADER } from "../../shared/wire.ts";
import type { Answer } from "./answer.ts";
import { refuseIn } from "./refusal.ts";

/** Of documents that their clients have not read yet, all together; one alone may have more. In UTF-16 units. */
const UNREAD_MAX = 8 * 1024 * 1024;

/**
 * Makes a thing for all who ask, one at a time: who asks while one is made shares the next, so that it tells all that was
 * done before it was asked for.
 */
export function oneAtATime<T>(make: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | null = null;
  return () => {
    next ??= running.then(() => {
      next = null;
      const made = make();
      running = made.catch(() => undefined);
      return made;
    });
    return next;
  };
}

/** Answers with a document and counts it until it is out: clients that ask again and again and never read get 503. */
export function createDocuments(): (path: string, text: string, type: string) => Answer {
  let unread = 0;
  return (path, text, type) => {
    if (unread > 0 && unread + text.length > UNREAD_MAX) {
      return refuseIn(path, 503, "too many requests at once", { [HEADER.retryAfter]: "1" });
    }
    unread += text.length;
    const closed = () => {
      unread -= text.length;
    };
    return { status: 200, headers: { "content-type": type }, body: text, closed };
  };
}
