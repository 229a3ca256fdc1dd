import type { z } from "zod";
import { UsageError } from "../processes/command-line.ts";

/** What the edge's own schema makes of a request. @throws UsageError naming what is wrong. */
export function checkedBy<T>(schema: z.ZodType<T>, wanted: unknown): T {
  const parsed = schema.safeParse(wanted);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new UsageError(faults.join("; "));
}
