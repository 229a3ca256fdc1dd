/**
 * Keeps a trouble that lasts for days, or comes with every request, from filling the disk with its log lines: of one
 * message a few go out, then one in a while with a count of those left out, the last of them at the latest when the
 * trouble ends.
 */
import type { LogFn, Logger, LoggerOptions } from "pino";
import type { Clock } from "./clock.ts";

export interface LogLimit {
  /** For pino's options. */
  readonly hooks: NonNullable<LoggerOptions["hooks"]>;
  /** Lines left out since the start. */
  readonly suppressed: number;
  /** Prints what was held back and waits for nothing more. */
  end(): void;
}

/** Lines of one message in a row before they are held back. */
const BURST = 3;
const EVERY_MS = 10_000;
/** Messages remembered at once; beyond it a line is printed, counted for nobody. */
const MESSAGES_MAX = 1000;
/** pino's number for fatal: the process is about to end, and every word counts. */
const FATAL = 60;

/** Whose trouble it is: lines that differ here are different messages. Few and bounded, so not the error's text. */
const DISTINGUISHING = ["stream", "path", "setting"] as const;

interface Message {
  /** Lines that may still go out before the rest is held back. */
  left: number;
  suppressed: number;
  /** Prints the latest line held back. */
  print: ((suppressed: number) => void) | null;
}

export function createLogLimit(clock: Clock): LogLimit {
  const messages = new Map<string, Message>();
  const ending = new AbortController();
  let suppressed = 0;

  const flush = (message: Message): void => {
    const { print } = message;
    if (print === null) return;
    // The line that goes out now was not left out after all.
    suppressed--;
    print(message.suppressed - 1);
    message.suppressed = 0;
    message.print = null;
  };

  const watch = async (key: string, message: Message): Promise<void> => {
    for (;;) {
      await clock.sleep(EVERY_MS, ending.signal);
      if (ending.signal.aborted || message.print === null) break;
      flush(message);
      message.left = 0;
    }
    messages.delete(key);
  };

  const isHeldBack = (key: string, print: (suppressed: number) => void): boolean => {
    let message = messages.get(key);
    if (message === undefined) {
      if (messages.size >= MESSAGES_MAX) return false;
      message = { left: BURST, suppressed: 0, print: null };
      messages.set(key, message);
      void watch(key, message);
    }
    if (message.left > 0) {
      message.left--;
      return false;
    }
    message.suppressed++;
    message.print = print;
    suppressed++;
    return true;
  };

  return {
    hooks: {
      logMethod(this: Logger, args, method, level) {
        if (level >= FATAL || ending.signal.aborted) {
          method.apply(this, args);
          return;
        }
        const [fields, text] = splitArguments(args);
        const print = (count: number) => {
          const counted = count === 0 ? fields : { ...fields, suppressed: count };
          method.apply(this, [counted, text] as Parameters<LogFn>);
        };
        if (!isHeldBack(keyOf(level, fields, text), print)) method.apply(this, args);
      },
    },
    get suppressed() {
      return suppressed;
    },
    end() {
      for (const message of messages.values()) flush(message);
      ending.abort();
    },
  };
}

/** A line's fields and its words, in whichever of pino's forms it came. */
function splitArguments(args: readonly unknown[]): [fields: Readonly<Record<string, unknown>>, text: string] {
  const [first, second] = args;
  if (typeof first === "string") return [{}, first];
  if (first instanceof Error) return [{ err: first }, typeof second === "string" ? second : first.message];
  const fields = typeof first === "object" && first !== null ? (first as Record<string, unknown>) : {};
  return [fields, typeof second === "string" ? second : ""];
}

function keyOf(level: number, fields: Readonly<Record<string, unknown>>, text: string): string {
  return JSON.stringify([level, text, ...DISTINGUISHING.map((name) => fields[name] ?? null)]);
}
