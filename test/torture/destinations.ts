/** Where the tortured agent delivers to, and how it misbehaves. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { runTwin } from "../../tools/processes/weir-processes.ts";
import { openRiver, postFaults, twinSources } from "../support/river.ts";
import { startFaultyProxy } from "./faulty-proxy.ts";
import { TAILED_METER } from "./followed-file.ts";
import { type Kind, SOLVIMON, USAGE } from "./producers.ts";

export const DESTINATIONS = ["edge", "zuora", "solvimon"] as const;
export type DestinationName = (typeof DESTINATIONS)[number];

export interface Destination {
  /** For configuration, buffer and files. */
  readonly folder: string;
  /** The lines of the agent's `[destination]`. */
  readonly settings: string;
  readonly kinds: readonly Kind[];
  /** A meter whose file the agent follows; null where usage does not go there. */
  readonly tailedMeter: string | null;
  /** Whether `weir-agent audit` has a ledger to compare with. */
  readonly hasLedger: boolean;
  /** New failures upstream. */
  disturb(): Promise<void>;
  calm(): void;
  /** Once all that the agent delivered has arrived at the end of the line. */
  settled(): Promise<void>;
  /** Exact source texts at the twin. */
  arrived(): Promise<string[]>;
  close(): Promise<void>;
}

const FAILURES = [
  { times: 2, status: 503 },
  { times: 1, status: 429, headers: { "retry-after": "0" } },
  { times: 2, drop: "after" },
  { times: 2, drop: "before" },
  { times: 1, delay_ms: 200 },
] as const;

/** Of Zuora's calls, so that larger ones meet a 413. */
const ZUORA_EVENTS_MAX = "20";

export function openDestination(name: DestinationName, random: () => number): Promise<Destination> {
  return name === "edge" ? openEdge(random) : openVendor(name);
}

async function openEdge(random: () => number): Promise<Destination> {
  const river = await openRiver({ twinArgs: ["--zuora-max-events", ZUORA_EVENTS_MAX], meters: [TAILED_METER] });
  const proxy = await startFaultyProxy(river.edge.url, random);
  return {
    folder: river.folder,
    settings: `url = "${proxy.url}"\napi_key_env = "WEIR_API_KEY"`,
    kinds: [USAGE, USAGE, ...SOLVIMON],
    tailedMeter: TAILED_METER,
    hasLedger: true,
    disturb: () => river.faults(FAILURES),
    calm: proxy.calm,
    settled: async () => void (await river.settled(600_000)),
    arrived: river.twinEvents,
    async close() {
      await proxy.close();
      await river.close();
    },
  };
}

async function openVendor(name: "zuora" | "solvimon"): Promise<Destination> {
  const folder = tempDir("weir-torture");
  const twin = await runTwin({ args: ["--zuora-max-events", ZUORA_EVENTS_MAX] });
  writeFileSync(join(folder.path, "secret"), "twin-secret\n");
  const lines =
    name === "zuora"
      ? 'dialect = "zuora"\nclient_id = "twin-client"\nclient_secret_file = "secret"'
      : 'dialect = "solvimon"\napi_key_env = "WEIR_API_KEY"';
  return {
    folder: folder.path,
    settings: `url = "${twin.url}"\n${lines}`,
    kinds: name === "zuora" ? [USAGE] : SOLVIMON,
    tailedMeter: name === "zuora" ? TAILED_METER : null,
    hasLedger: false,
    disturb: () => postFaults(twin.url, FAILURES),
    // The script runs out by itself.
    calm: () => undefined,
    // What the agent counts as delivered is at the twin already.
    settled: async () => undefined,
    arrived: () => twinSources(twin.url),
    async close() {
      await twin.stop();
      folder.remove();
    },
  };
}
