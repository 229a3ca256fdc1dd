/** Every route of the Worker: what the app mounts and the document describes. */
import type { Route } from "./http/route.ts";
import { createDocument, type OpenApiDocument } from "./openapi/document.ts";
import { apiKeyRoutes } from "./routes/api-keys.ts";
import { calculateRoutes } from "./routes/calculate.ts";
import { catalogRoutes } from "./routes/catalog.ts";
import { deliveryRoutes } from "./routes/delivery.ts";
import { destinationRoutes } from "./routes/destinations.ts";
import { eventRoutes } from "./routes/events.ts";
import { healthRoutes } from "./routes/health.ts";
import { ledgerRoutes } from "./routes/ledger.ts";
import { openApiRoute } from "./routes/openapi.ts";
import { producerRoutes } from "./routes/producers.ts";
import { quarantineRoutes } from "./routes/quarantine.ts";
import { quarantineBulkRoutes } from "./routes/quarantine-bulk.ts";
import { settingsRoutes } from "./routes/settings.ts";
import { solvimonRoutes } from "./routes/solvimon.ts";
import { statsRoutes } from "./routes/stats.ts";
import { tenantRoutes } from "./routes/tenants.ts";
import { tokenRoutes } from "./routes/token.ts";
import { usageRoutes } from "./routes/usage.ts";
import { withdrawRoutes } from "./routes/withdraw.ts";

const described: readonly Route[] = [
  ...usageRoutes,
  ...solvimonRoutes,
  ...calculateRoutes,
  ...eventRoutes,
  ...catalogRoutes,
  ...ledgerRoutes,
  ...deliveryRoutes,
  ...quarantineRoutes,
  ...withdrawRoutes,
  ...quarantineBulkRoutes,
  ...apiKeyRoutes,
  ...producerRoutes,
  ...tenantRoutes,
  ...destinationRoutes,
  ...tokenRoutes,
  ...statsRoutes,
  ...settingsRoutes,
  ...healthRoutes,
];

export const routes: readonly Route[] = [...described, openApiRoute(described)];

/** The OpenAPI document of all of them; made without a Worker too. */
export function createOpenApiDocument(): OpenApiDocument {
  return createDocument(routes);
}
