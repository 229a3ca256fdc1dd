import type { EventRun } from "../../../agent/buffer/tables/event-run.ts";

/** Lays event texts end to end, a comma between. */
export function packEvents(sources: readonly string[]): EventRun {
  const joined = sources.join(",");
  const body = Buffer.from(joined, "utf8");
  const ascii = body.length === joined.length;
  const ends = new Uint32Array(sources.length);
  let at = -1;
  for (let i = 0; i < sources.length; i++) {
    const source = sources[i] ?? "";
    at += 1 + (ascii ? source.length : Buffer.byteLength(source, "utf8"));
    ends[i] = at;
  }
  return { body, ends };
}
