import { AGENT_INTAKE, EDGE_INTAKE } from "../rows.ts";
import { profileAgent, profileEdge } from "./profile.ts";

/** Of the rate that a row begins with: long enough for a thousand samples. */
const PROFILED_SECONDS = 6;

/** Profiles the row of this name into `folder`. @returns the summary; null where no such row can be profiled. */
export async function profileRow(name: string, folder: string): Promise<string[] | null> {
  const row = [...EDGE_INTAKE, ...AGENT_INTAKE].find((one) => one.name === name);
  if (row === undefined) return null;
  const requests = Math.ceil((row.guess * PROFILED_SECONDS) / row.load.size);
  const options = { name, load: row.load, warmup: Math.ceil(requests / 4), requests, folder };
  return row.group === "edge" ? profileEdge(options) : profileAgent(options);
}
