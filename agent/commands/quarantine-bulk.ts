/** Many entries of quarantine at once: those that a filter finds. */
import type { CorrectedIds, Quarantine, QuarantineItem, ReleaseResult } from "../operator/quarantine.ts";
import { createProgress } from "./progress.ts";
import { type ExitCode, printError, printJson, printLine, type Terminal } from "./terminal.ts";

/** What is absent is any. */
export interface QuarantineFilter {
  readonly stream?: string;
  readonly code?: string;
  readonly status?: number;
  /** Quarantined at this time or later, and before that one; milliseconds since 1970. */
  readonly from?: number;
  readonly to?: number;
  readonly withIds?: CorrectedIds;
}

const PAGE = 200;
/** Released at once, so that they share commits. */
const AT_ONCE = 50;

/** The numbers of the held entries that a filter finds, in order, out of how many. */
export async function findHeld(quarantine: Quarantine, filter: QuarantineFilter) {
  const ids: number[] = [];
  let held = 0;
  for (let after = 0; ; ) {
    const page = (await quarantine.list("held", after, PAGE)).map((text) => JSON.parse(text) as QuarantineItem);
    const last = page.at(-1);
    if (last === undefined) return { ids, held };
    held += page.length;
    ids.push(...page.filter((item) => isFound(item, filter)).map(({ id }) => id));
    after = last.id;
  }
}

/** Lets go of all that were found; says before how many, and after what became of them. */
export async function releaseAll(
  found: { readonly ids: readonly number[]; readonly held: number },
  { verb, done, json }: { readonly verb: string; readonly done: string; readonly json: boolean },
  release: (id: number) => Promise<ReleaseResult>,
  terminal: Terminal,
): Promise<ExitCode> {
  const { ids, held } = found;
  if (!json) printLine(terminal, `${ids.length} of ${held} held events are to be ${verb}`);
  const progress = createProgress(terminal, verb, "events");
  const failures: string[] = [];
  let released = 0;
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    const part = ids.slice(from, from + AT_ONCE);
    const results = await Promise.all(part.map(release));
    for (const [index, result] of results.entries()) {
      if (result.kind === "released") released++;
      else failures.push(`${part[index]}: ${result.kind === "invalid" ? result.message : result.kind}`);
    }
    progress.update(from + part.length, ids.length, null);
  }
  progress.stop();
  if (json) printJson(terminal, JSON.stringify({ found: ids.length, held, released, failures }));
  else {
    for (const failure of failures.slice(0, AT_ONCE)) printError(terminal, failure);
    printLine(terminal, `${released} events ${done}${failures.length > 0 ? `, ${failures.length} not` : ""}`);
  }
  return failures.length === 0 ? 0 : 1;
}

function isFound(item: QuarantineItem, { stream, code, status, from, to, withIds = {} }: QuarantineFilter): boolean {
  const at = Date.parse(item.quarantined_at);
  return (
    (stream === undefined || stream === item.stream) &&
    (code === undefined || code === String(item.reason.code)) &&
    (status === undefined || status === item.reason.status) &&
    (from === undefined || at >= from) &&
    (to === undefined || at < to) &&
    (withIds.entityIds === undefined || withIds.entityIds === item.entity_ids) &&
    (withIds.orgIds === undefined || withIds.orgIds === item.org_ids) &&
    (withIds.platformId === undefined || withIds.platformId === item.platform_id)
  );
}
