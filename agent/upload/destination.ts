/** The destination that the configuration names, with its secrets read. */

import { VENDORS } from "../../shared/vendors/vendors.ts";
import type { Config } from "../config/config.ts";
import { readApiKey, readSecretFile } from "../config/secrets.ts";
import { AgentError } from "../runtime/agent-error.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Dialect } from "./dialect.ts";
import { createTransport, type Transport, type TransportOptions } from "./transport.ts";
import { createVendorDialect } from "./vendor-dialect.ts";

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
  const vendor = VENDORS[dialect];
  const { credentials, answerBytesMax } = vendor;
  // Two more than the uploader has calls: schemas are fetched beside them, and the edge is asked how delivery stands.
  const connect = (headers: Readonly<Record<string, string>>) =>
    open({ url, headers, timeoutMs: upload.timeoutMs, connections: upload.concurrency + 2, answerBytesMax, env });
  if (credentials.kind === "key") {
    const transport = connect(credentials.headers(readApiKey(destination.apiKey, env)));
    return createVendorDialect({ vendor, transport, client: null, clock });
  }
  if (client === null) throw new AgentError("CONFIG", `destination.client_id: required by dialect "${dialect}"`);
  const secret = readSecretFile(client.secretFile, "destination.client_secret_file");
  return createVendorDialect({ vendor, transport: connect({}), client: { id: client.id, secret }, clock });
}
