/** Middleware and routes put together. */
import { Hono } from "hono";
import { refuse, type WeirEnv } from "./context.ts";
import { d1FailureOf } from "./database/d1-errors.ts";
import { KeyEndedError } from "./database/key-gate.ts";
import { mount } from "./http/route.ts";
import { logFailure } from "./log.ts";
import { compress } from "./middleware/compress.ts";
import { noStore } from "./middleware/no-store.ts";
import { trace } from "./middleware/trace.ts";
import { routes } from "./routes.ts";
import { type Services, servicesOf } from "./services.ts";

/** When what D1 was too busy for may come again: queued work must be done first. */
const OVERLOADED_RETRY_AFTER_S = "5";

/** @param services for tests that bring their own; else made from the request's bindings. */
export function createApp(services?: Services): Hono<WeirEnv> {
  const app = new Hono<WeirEnv>();
  app.use(trace, compress);
  app.use("/admin/*", noStore);
  app.use(async function provideServices(c, next) {
    c.set("services", services ?? servicesOf(c.env));
    return next();
  });
  mount(app, routes);
  app.notFound((c) => refuse(c, 404, "there is nothing here"));
  app.onError((error, c) => {
    if (error instanceof KeyEndedError) return refuse(c, 401, "the credentials are unknown, revoked or expired");
    // The client learns that it failed and under which id, never why: an unknown error's text may hold anything.
    logFailure("a request failed", error, { requestId: c.get("requestId") });
    c.header("Retry-After", d1FailureOf(error) === "overloaded" ? OVERLOADED_RETRY_AFTER_S : "1");
    return refuse(c, 503, "the request could not be completed and may be repeated");
  });
  return app;
}
