/**
 * The buffer: events and what is known of them, from the answer to a request until a destination has them.
 *
 * **Durable.** An operation's promise resolves after its transaction is in the write-ahead log and fsynced
 * (`synchronous = FULL`). Only then does a request get its 2xx.
 *
 * **What a crash or a power cut may leave.** A whole number of groups of operations: events, positions, quarantine,
 * idempotency keys, tail offsets and ledger move together. At worst a group that nobody was told of is there; it
 * comes again and is folded by its key or body. A process that just ends leaves the same.
 *
 * **What is lost.** Nothing silently. A log whose bytes have changed, or whose write-ahead log was taken away, is
 * set aside whole under `damaged/` and a new one begun, under another name on the wire. Kept for convenience only:
 * delivered events (`retained`), for an audit; they are evicted first where the bound is reached.
 *
 * **Invariants.**
 * - accepted = delivered + pending + quarantined + discarded, for each stream, as a CHECK of the table itself.
 * - A position is given once, rises by one for each accepted event, and belongs to one name on the wire.
 * - Event text is written once and never changed; a row's checksum is looked at each time it is read.
 * - One process holds the directory, one thread writes. Its files stay within `bytesMax` (`damaged/` apart).
 * - A full disk costs appends first: the reserve is spent on what makes room and on reporting.
 * - Ages go by the time the log was open, never by the time of day.
 *
 * **Layout.** A call goes down, nothing comes up; no file knows one above it.
 *
 *     buffer     opens all of it                                      this page
 *     log        promises, groups of operations, ledgers in memory    the caller's thread
 *     gather     bodies that wait for one commit, as one run          (pure)
 *     engine     hands groups over; thread: the other end of it
 *     store      one group: its writes in one transaction, its reads  the log's own thread
 *     transactions/  what each operation does; operations.ts: every one of them by name
 *     disk/      directory, lock, opening, setting aside, reserve, room, checks of the files
 *     tables/    schema, typed rows, and a file for each table; runs of events
 *
 * Beside it, tidying asks the log now and then to forget what is old.
 *
 * **On disk.** `buffer.db` (with `-wal`), `lock`, `reserve` (ballast for a full disk), `commits` (how many transactions
 * there were, never ahead of the log), `name` (a made-up producer's), `suspect` (check everything at the next opening),
 * `damaged/`.
 */
import { type Engine, openThreadEngine } from "./engine.ts";
import { type LogOptions, type OpenedLog, openLog } from "./log.ts";

export interface BufferOptions extends LogOptions {
  readonly directory: string;
  /** Bound of the directory's files, in bytes. */
  readonly bytesMax: number;
  /** Where the log's writer runs; a thread of its own where none is given. */
  readonly openEngine?: OpenEngine | undefined;
}

export type OpenEngine = (options: Pick<BufferOptions, "directory" | "bytesMax">) => Promise<Engine> | Engine;

/**
 * Opens the buffer in a directory, making it if there is none.
 * @returns its log, or whose it is where it holds another producer's events; it is closed again then.
 * @throws AgentError BUFFER_HELD, BUFFER_NEWER, BUFFER_UNSAFE or BUFFER_BROKEN.
 */
export async function openBufferLog({
  directory,
  bytesMax,
  openEngine,
  ...options
}: BufferOptions): Promise<OpenedLog> {
  const engine = await (openEngine ?? openThreadEngine)({ directory, bytesMax });
  const opened = await openLog(engine, options);
  if (opened.kind === "other-id") await engine.close();
  return opened;
}
