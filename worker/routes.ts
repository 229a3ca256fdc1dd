/** Every route of the Worker: what the app mounts and the document describes. */
import type { Route } from "./http/route.ts";
import { createDocument, type OpenApiDocument } from "./openapi/document.ts";
import { apiKeyRoutes } from "./routes/api-keys.ts";
import { calculateOperations } from "./routes/calculate-operation.ts";
import { catalogRoutes } from "./routes/catalog.ts";
import { eventRoutes } from "./routes/events.ts";
import { healthRoutes } from "./routes/health.ts";
import { ledgerRoutes } from "./routes/ledger.ts";
import { openApiRoute } from "./routes/openapi.ts";
import { quarantineRoutes } from "./routes/quarantine.ts";
import { solvimonOperations } from "./routes/solvimon-operations.ts";
import { statsRoutes } from "./routes/stats.ts";
import { tokenRoutes } from "./routes/token.ts";
import { usageOperations } from "./routes/usage-operations.ts";

const described: readonly Route[] = [
  ...eventRoutes,
  ...catalogRoutes,
  ...ledgerRoutes,
  ...quarantineRoutes,
  ...apiKeyRoutes,
  ...tokenRoutes,
  ...statsRoutes,
  ...healthRoutes,
];

const ingest = [...usageOperations, ...solvimonOperations, ...calculateOperations];

export const routes: readonly Route[] = [...described, openApiRoute([...ingest, ...described])];

/** The OpenAPI document of all of them; made without a Worker too. */
export function createOpenApiDocument(): OpenApiDocument {
  return createDocument([...ingest, ...routes]);
}
