/** What an instance of the Worker holds on to between requests, made once from its bindings. */
import type { ClockAndRandom, WallClock } from "../shared/clock.ts";
import { createRefusalLog, type RefusalLog } from "../shared/intake/refusal-log.ts";
import { createTokenSigner } from "./accounts/access-token.ts";
import { createKeyRing, type KeyRing } from "./accounts/api-keys.ts";
import { createGuesses, type Guesses } from "./accounts/guesses.ts";
import { createKeyStore, type KeyStore } from "./accounts/key-store.ts";
import { type Catalogs, createCatalogs } from "./catalog/catalogs.ts";
import { createLedgerSize, type LedgerSize } from "./database/ledger-size.ts";
import { createDelivery, type Delivery } from "./delivery/delivery.ts";
import { createStanding, type DeliveryStanding } from "./delivery/standing.ts";
import { createDestinationStore, type DestinationStore } from "./destinations/destinations.ts";
import { createDirectory, type Directory } from "./destinations/directory.ts";
import { createSealer } from "./destinations/sealing.ts";
import { type Bindings, parseSettings, type Settings } from "./env.ts";
import { Admission } from "./intake/admission.ts";
import { createD1Ledger } from "./ledger/d1-ledger.ts";
import { createEventIndex, type EventIndex } from "./ledger/event-index.ts";
import { createEventReader, type EventReader } from "./ledger/event-reader.ts";
import type { Ledger } from "./ledger/ledger.ts";
import { createProducers, type Producers } from "./ledger/producers.ts";
import { createQuarantine, type Quarantine } from "./ledger/quarantine.ts";
import { createStats, type Stats } from "./ledger/stats.ts";
import { createLimiter, type Limiter } from "./limiter.ts";
import { logFailure, logRefused, logWarning } from "./log.ts";
import { createNudges, type Nudges } from "./nudges.ts";
import { pauseFor } from "./repeat.ts";
import { createArchive } from "./retention/archive.ts";
import { createRetention, type Retention } from "./retention/retention.ts";
import { createTenants, type Tenants } from "./tenants/tenants.ts";
import { createUsageFold, type UsageFold } from "./usage/fold.ts";
import { createUsageReader, type UsageReader } from "./usage/usage-so-far.ts";

/** What the host gives a Worker; tests put their own in its place. */
export interface Runtime extends ClockAndRandom {
  readonly fetch: typeof fetch;
}

export interface Services extends Nudges {
  readonly bindings: Bindings;
  readonly settings: Settings;
  readonly clock: WallClock;
  readonly fetch: typeof fetch;
  readonly keys: KeyRing;
  readonly keyStore: KeyStore;
  /** Whether the Worker has a secret to sign tokens with. */
  readonly issuesTokens: boolean;
  readonly tenants: Tenants;
  readonly destinations: DestinationStore;
  readonly directory: Directory;
  readonly catalogs: Catalogs;
  readonly ledger: Ledger;
  readonly ledgerSize: LedgerSize;
  readonly retention: Retention;
  readonly delivery: Delivery;
  readonly standing: DeliveryStanding;
  readonly events: EventReader;
  readonly eventIndex: EventIndex;
  readonly producers: Producers;
  readonly quarantine: Quarantine;
  readonly stats: Stats;
  readonly usage: UsageReader;
  readonly usageFold: UsageFold;
  readonly admission: Admission;
  /** Of a key's requests, whatever the route. */
  readonly keyLimiter: Limiter;
  /** Of requests for tokens: by client, and by address. */
  readonly tokenLimiter: Limiter;
  /** Of requests with credentials that nobody has, by address. */
  readonly guesses: Guesses;
  /** What was refused is told through it; this instance's own. */
  readonly refusals: RefusalLog;
}

export const WORKERD: Runtime = {
  clock: { now: () => Date.now() },
  random: () => Math.random(),
  fetch: (...args) => fetch(...args),
};

export function createServices(bindings: Bindings, runtime: Runtime = WORKERD): Services {
  const settings = parseSettings(bindings);
  const nudges = createNudges({
    clock: runtime.clock,
    send: (nudge, delaySeconds) => bindings.NUDGES.send(nudge, { delaySeconds }),
    tell: (cause, stream) => logWarning("a nudge was lost; the sweep will find its work", cause, { stream }),
  });
  const { nudge } = nudges;
  const signer = createTokenSigner(settings.tokenSecret, settings.tokenSecretPrevious);
  const sealer = createSealer(settings.destinationKey);
  const refusals = createRefusalLog(logRefused, runtime.clock.now);
  const ledgerSize = createLedgerSize(bindings.LEDGER, settings.ledgerBytesMax, runtime.clock.now);
  const archive = bindings.ARCHIVE === undefined ? null : createArchive(bindings.ARCHIVE);
  const directory = createDirectory(bindings.LEDGER, settings, sealer);
  return {
    bindings,
    settings,
    clock: runtime.clock,
    fetch: runtime.fetch,
    keys: createKeyRing(bindings.LEDGER, signer),
    issuesTokens: signer !== null,
    keyStore: createKeyStore(bindings.LEDGER),
    tenants: createTenants(bindings.LEDGER),
    destinations: createDestinationStore(bindings.LEDGER, sealer),
    directory,
    catalogs: createCatalogs(bindings.LEDGER),
    ledger: createD1Ledger(bindings.LEDGER, runtime, ledgerSize),
    ledgerSize,
    retention: createRetention({
      ...{ db: bindings.LEDGER, archive, retainDays: settings.retainDays, size: ledgerSize },
      now: runtime.clock.now,
    }),
    delivery: createDelivery({ db: bindings.LEDGER, settings, directory, runtime, nudge, refusals }),
    standing: createStanding(bindings.LEDGER, settings, directory),
    events: createEventReader(bindings.LEDGER, archive),
    eventIndex: createEventIndex(bindings.LEDGER),
    producers: createProducers(bindings.LEDGER),
    quarantine: createQuarantine(bindings.LEDGER, runtime),
    stats: createStats(bindings.LEDGER),
    usage: createUsageReader(bindings.LEDGER),
    usageFold: createUsageFold(bindings.LEDGER, runtime.clock, logFailure),
    admission: new Admission({ now: runtime.clock.now, pause: pauseFor }),
    keyLimiter: createLimiter(bindings.KEY_RATE ?? null, settings.rateLimitPerMinute),
    tokenLimiter: createLimiter(bindings.TOKEN_RATE ?? null, settings.tokenRateLimitPerMinute),
    guesses: createGuesses(createLimiter(bindings.REFUSED_RATE ?? null, settings.refusedRateLimitPerMinute)),
    refusals,
    ...nudges,
  };
}

const instances = new WeakMap<Bindings, Services>();

/** The services of these bindings, made at their first use. */
export function servicesOf(bindings: Bindings): Services {
  const known = instances.get(bindings);
  if (known !== undefined) return known;
  const made = createServices(bindings);
  instances.set(bindings, made);
  return made;
}
