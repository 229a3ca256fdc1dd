/** Middleware and routes put together. */
import { Hono } from "hono";
import { refuse, type WeirEnv } from "./context.ts";
import { logFailure } from "./log.ts";
import { compress } from "./middleware/compress.ts";
import { trace } from "./middleware/trace.ts";
import { registerApiKeys } from "./routes/api-keys.ts";
import { registerCalculate } from "./routes/calculate.ts";
import { registerCatalog } from "./routes/catalog.ts";
import { registerEvents } from "./routes/events.ts";
import { registerHealth } from "./routes/health.ts";
import { registerLedger } from "./routes/ledger.ts";
import { registerOpenApi } from "./routes/openapi.ts";
import { registerQuarantine } from "./routes/quarantine.ts";
import { registerSolvimon } from "./routes/solvimon.ts";
import { registerStats } from "./routes/stats.ts";
import { registerToken } from "./routes/token.ts";
import { registerUsage } from "./routes/usage.ts";
import { type Services, servicesOf } from "./services.ts";

/** @param services for tests that bring their own; else made from the request's bindings. */
export function createApp(services?: Services): Hono<WeirEnv> {
  const app = new Hono<WeirEnv>();
  app.use(trace, compress);
  app.use(async function provideServices(c, next) {
    c.set("services", services ?? servicesOf(c.env));
    return next();
  });
  registerHealth(app);
  registerOpenApi(app);
  registerToken(app);
  registerUsage(app);
  registerSolvimon(app);
  registerCalculate(app);
  registerEvents(app);
  registerApiKeys(app);
  registerLedger(app);
  registerQuarantine(app);
  registerCatalog(app);
  registerStats(app);
  app.notFound((c) => refuse(c, 404, "there is nothing here"));
  app.onError((error, c) => {
    // The client learns that it failed and under which id, never why: an unknown error's text may hold anything.
    logFailure("a request failed", error, { requestId: c.get("requestId") });
    c.header("Retry-After", "1");
    return refuse(c, 503, "the request could not be completed and may be repeated");
  });
  return app;
}
