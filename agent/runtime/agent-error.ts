/** Errors that end a command or a start: each with a stable code, so that callers need not read messages. */

export type AgentErrorCode =
  /** The configuration cannot be used as it is; exit code 2. */
  | "CONFIG"
  /** Another process holds the buffer. */
  | "BUFFER_HELD"
  /** The buffer was written by a later version of the agent. */
  | "BUFFER_NEWER"
  /** The file is no buffer. */
  | "BUFFER_FOREIGN"
  /** The buffer cannot be opened or read. */
  | "BUFFER_BROKEN"
  /** Others may write in the buffer's directory, or what lies there is none of our files: nothing of it is touched. */
  | "BUFFER_UNSAFE"
  /** There is no buffer yet. */
  | "BUFFER_ABSENT"
  /** The buffer is another user's. */
  | "NOT_PERMITTED"
  /** The thread that writes the log ended while it was needed. */
  | "LOG_STOPPED"
  /** The destination does not tell what was asked. */
  | "DESTINATION"
  /** What was asked cannot be done with this event: unknown, or not as it must be. */
  | "NO_SUCH_EVENT"
  | "INVALID_EVENT"
  /** No room in the buffer or on its disk; nothing of the call was taken. */
  | "BUFFER_FULL"
  /** The address is taken or not ours. */
  | "LISTEN";

export class AgentError extends Error {
  readonly code: AgentErrorCode;
  constructor(code: AgentErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AgentError";
    this.code = code;
  }
}

/** The words of an unknown error, for logs and command lines. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
