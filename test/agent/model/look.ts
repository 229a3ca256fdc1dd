/** All that can be seen of a running core, in the model's form. */
import type { QuarantineItem } from "../../../agent/operator/quarantine.ts";
import { scanJson } from "../../../shared/json/bodies.ts";
import type { View } from "./agent-model.ts";
import type { Core } from "./subject.ts";

const READ = { until: Number.MAX_SAFE_INTEGER, bytesMax: 100_000, eventsMax: 1000 };

export async function lookAt({ log, quarantine }: Core): Promise<View> {
  const streams = [];
  for (const ledger of log.streams()) {
    const { stream, accepted, delivered, pending, quarantined, discarded, nextPosition } = ledger;
    const waiting = await waitingIn(log, stream);
    streams.push({ stream, accepted, delivered, pending, quarantined, discarded, nextPosition, waiting });
  }
  const items = await quarantine.list(null, 0, 1000);
  return { streams: streams.sort((a, b) => (a.stream < b.stream ? -1 : 1)), quarantine: items.map(entryOf) };
}

async function waitingIn(log: Core["log"], stream: string): Promise<string[]> {
  const waiting: string[] = [];
  for (let from = 0; ; ) {
    const found = await log.read({ stream, from, ...READ });
    if (found.kind === "nothing") return waiting;
    if (found.kind !== "run") throw new Error(`${stream} ${from}: ${found.kind}`);
    const { first, events } = found.run;
    const texts = textsOf(`[${Buffer.from(events.body).toString("utf8")}]`);
    waiting.push(...texts.map((text, index) => `${first + index} ${text}`));
    from = first + texts.length;
  }
}

/** The source texts of an array's events. */
export function textsOf(array: string): string[] {
  const scanned = scanJson(array, { eventsMax: 10_000, eventBytesMax: 1_000_000 });
  if (scanned.kind === "invalid") throw new Error(`what was sent is no JSON: ${scanned.error.message}`);
  return scanned.events.map((event) => event.source);
}

function entryOf(item: string): View["quarantine"][number] {
  const { id, stream, position, reason, state, attempts, ...rest } = JSON.parse(item) as QuarantineItem;
  const { discard_reason: discardReason = null, earlier_reasons: earlierReasons } = rest;
  // The text itself, not what JSON.parse makes of it.
  const text = item.slice(item.indexOf('"event":') + '"event":'.length, item.indexOf(',"reason":'));
  return { id, stream, position, text, reason, state, discardReason, attempts, earlierReasons };
}
