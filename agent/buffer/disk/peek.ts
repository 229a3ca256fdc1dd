/** Looks into a buffer that no agent holds, changing nothing. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AgentError } from "../../runtime/agent-error.ts";
import { createBatchTable } from "../tables/batches.ts";
import { METADATA, readMetadata } from "../tables/metadata.ts";
import { versionOf } from "../tables/schema.ts";
import type { StreamLedger } from "../tables/streams.ts";
import { createStreamTable } from "../tables/streams.ts";
import { BUFFER_FILE, translate } from "./database.ts";
import { demandFit } from "./fitness.ts";

export interface BufferView {
  readonly producer: string | null;
  readonly ledgers: readonly StreamLedger[];
  readonly oldest: number | null;
}

/**
 * Reads the ledgers of a buffer at rest.
 * @throws AgentError BUFFER_ABSENT where there is none, BUFFER_HELD where an agent holds it,
 * BUFFER_UNSAFE or BUFFER_BROKEN.
 */
export function peekBuffer(directory: string): BufferView {
  const path = join(directory, BUFFER_FILE);
  if (!existsSync(path)) throw new AgentError("BUFFER_ABSENT", `there is no buffer in ${directory} yet`);
  let db: DatabaseSync | null = null;
  try {
    demandFit(directory);
    db = new DatabaseSync(path, { readOnly: true, timeout: 0 });
    const version = versionOf(db);
    if (version === 0) return { producer: null, ledgers: [], oldest: null };
    const metadata = readMetadata(db);
    const [id, log] = [metadata.get(METADATA.id), metadata.get(METADATA.log)];
    return {
      producer: id === undefined || log === undefined ? null : `${id}.${log}`,
      ledgers: createStreamTable(db).all(),
      // What version 1 has instead of a table of what waits is upgraded when the agent opens it.
      oldest: version < 2 ? null : createBatchTable(db).oldest(),
    };
  } catch (error) {
    throw translate(error, directory);
  } finally {
    db?.close();
  }
}
