/** Reads what `strace -f -xx -o FILE` wrote: one line a call, or two where another thread's call came between. */

export interface SystemCall {
  readonly name: string;
  /** The arguments as strace wrote them, every string in hexadecimal. */
  readonly args: string;
  /** What the call gave back: -1 where it failed, NaN where it never came back. */
  readonly result: number;
  /** The lines at which it was seen to begin and to end, Infinity where it never did. */
  readonly began: number;
  readonly ended: number;
}

interface Unfinished {
  readonly name: string;
  readonly args: string;
  readonly began: number;
}

const CALL = /^(\d+) +(\w+)\(/;
const RESUMED = /^(\d+) +<\.\.\. \w+ resumed>/;
const UNFINISHED = " <unfinished ...>";

/**
 * @param text a whole trace.
 * @param firstLine the number of its first line, so that several traces in a row have one numbering.
 * @returns the calls in the order in which they began.
 */
export function readSystemCalls(text: string, firstLine = 0): SystemCall[] {
  const calls: SystemCall[] = [];
  const unfinished = new Map<string, Unfinished>();
  let line = firstLine;
  for (const written of text.split("\n")) {
    const at = line++;
    const [resumed, thread = ""] = RESUMED.exec(written) ?? [];
    if (resumed !== undefined) {
      const call = unfinished.get(thread);
      if (call === undefined) throw new Error(`trace line ${at}: a call goes on that was not seen to begin`);
      unfinished.delete(thread);
      calls.push({ ...call, ...endOf(call.args + written.slice(resumed.length), at) });
      continue;
    }
    // What is no call tells of a signal or of a thread's end.
    const [start, id = "", name = ""] = CALL.exec(written) ?? [];
    if (start === undefined) continue;
    const rest = written.slice(start.length);
    if (rest.endsWith(UNFINISHED)) {
      unfinished.set(id, { name, args: rest.slice(0, -UNFINISHED.length), began: at });
    } else {
      calls.push({ name, ...endOf(rest, at), began: at });
    }
  }
  for (const call of unfinished.values()) calls.push({ ...call, result: Number.NaN, ended: Number.POSITIVE_INFINITY });
  return calls.sort((a, b) => a.began - b.began);
}

/** `ARGS) = RESULT`, blanks before the equals sign; a question mark where the process ended within the call. */
function endOf(text: string, at: number): Pick<SystemCall, "args" | "result" | "ended"> {
  const equals = text.lastIndexOf(" = ");
  const args = text.slice(0, equals).trimEnd();
  if (equals < 0 || !args.endsWith(")")) throw new Error(`trace line ${at} cannot be read: ${text.slice(-200)}`);
  const result = Number(text.slice(equals + 3).split(" ", 1)[0]);
  const ended = Number.isNaN(result) ? Number.POSITIVE_INFINITY : at;
  return { args: args.slice(0, -1).replace(UNFINISHED, ""), result, ended };
}

/** The strings among a call's arguments, as bytes. */
export function stringsIn(args: string): Buffer[] {
  const strings: Buffer[] = [];
  for (let from = args.indexOf('"'); from >= 0; from = args.indexOf('"', from)) {
    const to = args.indexOf('"', from + 1);
    if (args.startsWith("...", to + 1)) throw new Error("strace cut a string short; give it a larger -s");
    strings.push(Buffer.from(args.slice(from + 1, to).replaceAll("\\x", ""), "hex"));
    from = to + 1;
  }
  return strings;
}
