/** An edge inside workerd: real D1, real queue binding, the twin as upstream. Each test gets a tenant of its own. */
import { applyD1Migrations, type D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { inject } from "vitest";
import { DEFAULT_FIELDS } from "../../../shared/events/stream-schema.ts";
import { hashApiKey } from "../../../worker/accounts/key-hash.ts";
import { createApp } from "../../../worker/app.ts";
import type { Bindings } from "../../../worker/env.ts";
import type { LedgerRow } from "../../../worker/ledger/ledger.ts";
import { createServices, type Runtime, type Services, WORKERD } from "../../../worker/services.ts";
import { asInvocation, type StrictOptions, type StrictPeaks, strictPlatform } from "./strict-platform.ts";

interface TestBindings extends Bindings {
  /** Bound to an edge where a test says so. */
  readonly ARCHIVE: R2Bucket;
  readonly TEST_MIGRATIONS: D1Migration[];
}

export const bindings = env as unknown as TestBindings;

export interface TestEdge {
  readonly tenant: string;
  readonly services: Services;
  /** Most of what the platform was asked for. */
  readonly peaks: StrictPeaks;
  /** A request to the app with the tenant's key; what it leaves to waitUntil has been done when it answers. */
  request(path: string, init?: RequestInit): Promise<Response>;
  post(meter: string, body: string | Uint8Array, headers?: Record<string, string>): Promise<Response>;
  putCatalog(document: unknown): Promise<Response>;
  ledger(): Promise<LedgerRow[]>;
  /** The twin's events of one of this edge's streams, in order of arrival. */
  twinEvents(meter: string): Promise<string[]>;
}

export interface EdgeOptions {
  readonly vars?: Record<string, unknown>;
  readonly runtime?: Partial<Runtime>;
  /** In place of D1 and the queue, for breaking them. */
  readonly bindings?: Partial<Bindings>;
  /** Latency and failures; the platform's limits always hold. */
  readonly platform?: StrictOptions;
  readonly tenant?: string;
}

export const twinUrl = (): string => inject("twinUrl");

let count = 0;

let migrated: Promise<void> | null = null;

/** Applies the migrations and adds a tenant with one key for everything. */
export async function setupEdge(options: EdgeOptions = {}): Promise<TestEdge> {
  migrated ??= applyD1Migrations(bindings.LEDGER, bindings.TEST_MIGRATIONS);
  await migrated;
  const tenant = options.tenant ?? `tenant-${++count}-${crypto.randomUUID().slice(0, 8)}`;
  const key = `key-of-${tenant}`;
  await bindings.LEDGER.prepare(
    `INSERT OR IGNORE INTO api_keys (id, hash, tenant, name, permissions, platform_ids, created_at)
    VALUES (?1, ?2, ?3, 'test', ?4, '["*"]', 0)`,
  )
    .bind(`id-of-${tenant}`, hashApiKey(key), tenant, JSON.stringify(["METER_DATA.INGEST", "WEIR.ADMIN"]))
    .run();
  return connectEdge(tenant, options);
}

/** Another instance of the Worker on the same ledger: what a restart, or a second isolate, sees. */
export function connectEdge(tenant: string, options: EdgeOptions = {}): TestEdge {
  const vars = {
    ZUORA_BASE_URL: twinUrl(),
    ZUORA_CLIENT_ID: "twin-client",
    ZUORA_CLIENT_SECRET: "twin-secret",
    DESTINATION_KEY: "a key of the tests, long enough",
    TOKEN_SECRET: "a secret of the tests, long enough",
    LOOPBACK_DESTINATIONS: "allow",
    ...options.vars,
  };
  const runtime = { ...WORKERD, ...options.runtime };
  const given = { LEDGER: bindings.LEDGER, NUDGES: silentQueue, ...options.bindings };
  const platform = strictPlatform({ ...given, fetch: runtime.fetch }, options.platform);
  const bound = { ...vars, ...given, ...platform.bindings } as Bindings;
  const services = inInvocations(createServices(bound, { ...runtime, fetch: platform.fetch }));
  const app = createApp(services);
  const request = async (path: string, init: RequestInit = {}) => {
    const waiting: Promise<unknown>[] = [];
    const headers = new Headers(init.headers);
    if (!headers.has("x-api-key") && !headers.has("authorization")) headers.set("x-api-key", `key-of-${tenant}`);
    const context = {
      waitUntil: (promise: Promise<unknown>) => waiting.push(promise),
      passThroughOnException() {},
      props: {},
    };
    return asInvocation(async () => {
      const response = await app.fetch(
        new Request(`http://edge${path}`, { ...init, headers }),
        services.bindings,
        context as unknown as ExecutionContext,
      );
      await Promise.all(waiting);
      return response;
    });
  };
  return {
    tenant,
    services,
    peaks: platform.peaks,
    request,
    post: (meter, body, headers = {}) =>
      request(`/meters/streaming/ingestion/${encodeURIComponent(meter)}`, {
        method: "POST",
        // Bytes carry no Content-Type of their own, a string would.
        body: typeof body === "string" ? new TextEncoder().encode(body) : body,
        headers,
      }),
    putCatalog: (document) =>
      request("/admin/catalog", { method: "PUT", body: JSON.stringify(document), headers: { "if-match": "*" } }),
    async ledger() {
      const { items } = await (await request("/admin/ledger")).json<{ items: LedgerRow[] }>();
      return items;
    },
    async twinEvents(meter) {
      const answer = await fetch(`${twinUrl()}/twin/events?exact=1&stream=${encodeURIComponent(`usage/${meter}`)}`);
      const text = new TextDecoder().decode(await answer.arrayBuffer());
      return text
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line).source);
    },
  };
}

/** What queue and clock call, as the invocation that it is there. */
function inInvocations(services: Services): Services {
  const { delivery, usageFold, eventIndex } = services;
  return {
    ...services,
    delivery: {
      ...delivery,
      deliver: (...given) => asInvocation(() => delivery.deliver(...given)),
      sweep: (...given) => asInvocation(() => delivery.sweep(...given)),
    },
    usageFold: {
      ...usageFold,
      fold: (...given) => asInvocation(() => usageFold.fold(...given)),
      sweep: (...given) => asInvocation(() => usageFold.sweep(...given)),
    },
    eventIndex: {
      ...eventIndex,
      follow: (...given) => asInvocation(() => eventIndex.follow(...given)),
      sweep: (...given) => asInvocation(() => eventIndex.sweep(...given)),
    },
  };
}

/** Nudges go nowhere: the tests that use it deliver by the sweep, as the contract allows. */
const silentQueue = { send: async () => undefined } as unknown as Queue;

export function event(fields: Record<string, unknown> = {}): string {
  return JSON.stringify({
    CustomerId: "cus_1",
    UsageIdentifier: "egress_bytes",
    UsageDate: "2015-05-17T10:05:03Z",
    Quantity: 1,
    ...fields,
  });
}

/** A usage stream of the default fields and one for the event's own id. */
export function ownIdStream(meter: string, field: string, type: "string" | "integer" = "string") {
  const fields = [...DEFAULT_FIELDS, { name: field, type, required: false }];
  return { meter_global_id: meter, event_id_field: field, fields };
}

export function events(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, i) => event({ Quantity: from + i }));
}
