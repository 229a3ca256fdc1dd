/** The destination that the configuration names, with its secrets read. */
import type { Clock } from "./clock.ts";
import type { Config } from "./config.ts";
import { readApiKey, readSecretFile } from "./secrets.ts";
import type { Dialect } from "./upload/dialect.ts";
import { createEdgeDialect } from "./upload/edge-dialect.ts";
import { createSolvimonDialect } from "./upload/solvimon-dialect.ts";
import { createTransport, type Transport, type TransportOptions } from "./upload/transport.ts";
import { createZuoraDialect } from "./upload/zuora-dialect.ts";

/**
 * @throws AgentFault CONFIG where a secret is not to be had, naming where it was looked for.
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
