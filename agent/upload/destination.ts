/** The destination that the configuration names, with its secrets read. */

import type { Config } from "../config/config.ts";
import { readApiKey, readSecretFile } from "../config/secrets.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Dialect } from "./dialect.ts";
import { createEdgeDialect } from "./edge-dialect.ts";
import { createSolvimonDialect } from "./solvimon-dialect.ts";
import { createTransport, type Transport, type TransportOptions } from "./transport.ts";
import { createZuoraDialect } from "./zuora-dialect.ts";

/**
 * @throws AgentError CONFIG where a secret is not to be had, naming where it was looked for.
 */
export function openDialect(
  { destination, upload }: Pick<Config, "destination" | "upload">,
  env: Readonly<Record<string, string | undefined>>,
  clock: Clock,
  open: (options: TransportOptions) => Transport = createTransport,
): Dialect {
  const { url, dialect, client } = destination;
  // One more than the uploader has calls: schemas are fetched beside them.
  const connect = (apiKey: string | null) =>
    open({ url, apiKey, timeoutMs: upload.timeoutMs, connections: upload.concurrency + 1, env });
  if (dialect === "zuora" && client !== null) {
    const secret = readSecretFile(client.secretFile, "destination.client_secret_file");
    return createZuoraDialect({ transport: connect(null), client: { id: client.id, secret }, clock });
  }
  const transport = connect(readApiKey(destination.apiKey, env));
  return dialect === "solvimon" ? createSolvimonDialect(transport) : createEdgeDialect(transport);
}
