/**
 * The ledger's tables. The unit of storage is the batch: a run of events under one claim, so that a thousand
 * events cost a handful of rows. Times are milliseconds since 1970; positions fit in 53 bits.
 *
 * D1 bills every row and every index row written: each index here is on a path that needs it.
 */
import { sql } from "drizzle-orm";
import { blob, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

export const apiKeys = sqliteTable(
  "api_keys",
  {
    id: text("id").primaryKey(),
    /** SHA-256 of the key, hex. The key itself is shown once and kept nowhere. */
    hash: text("hash").notNull(),
    tenant: text("tenant").notNull(),
    name: text("name").notNull(),
    /** JSON array of permissions. */
    permissions: text("permissions").notNull(),
    /** JSON arrays of the ids it may name, `*` for any; null: none. */
    platformIds: text("platform_ids"),
    entityIds: text("entity_ids"),
    orgIds: text("org_ids"),
    /** JSON array of the producers it may send under, by name or prefix (`plant-7.*`); null: see counters.owner. */
    producers: text("producers"),
    /** JSON array of the web origins it may be used from, `*` for any; null: none, and then it may do more than add events. */
    origins: text("origins"),
    /** The first key of those it was rotated from; null: itself. What one of them owns they all own. */
    lineage: text("lineage"),
    createdAt: integer("created_at").notNull(),
    expiresAt: integer("expires_at"),
    revokedAt: integer("revoked_at"),
  },
  (table) => [uniqueIndex("api_keys_hash").on(table.hash), index("api_keys_tenant").on(table.tenant, table.id)],
);

/** What an operator says of a tenant. One without a row, known by its keys, is not restricted. */
export const tenants = sqliteTable("tenants", {
  id: text("id").primaryKey(),
  name: text("name"),
  /** Names of the destinations its events go to; null: the one that the settings describe. */
  zuora: text("zuora"),
  solvimon: text("solvimon"),
  /** JSON of what its keys and catalog must stay within: see tenants/bounds.ts. */
  allowed: text("allowed").notNull(),
});

/** Upstream accounts beside the one that the settings describe. */
export const destinations = sqliteTable("destinations", {
  name: text("name").primaryKey(),
  dialect: text("dialect", { enum: ["zuora", "solvimon"] }).notNull(),
  baseUrl: text("base_url").notNull(),
  ingestPath: text("ingest_path"),
  tokenUrl: text("token_url"),
  clientId: text("client_id"),
  /** Sealed: see destinations/sealing.ts. */
  clientSecret: text("client_secret"),
  apiKey: text("api_key"),
  bytesMax: integer("bytes_max"),
  eventsMax: integer("events_max"),
  callsPerMinute: integer("calls_per_minute"),
  /** Names this very state of the row: with another one tokens and connections are made anew. */
  revision: text("revision").notNull(),
});

export const catalogs = sqliteTable("catalogs", {
  tenant: text("tenant").primaryKey(),
  /** Rises by one with each change; the storing transaction compares it. */
  version: integer("version").notNull(),
  document: text("document").notNull(),
});

/** Runs of events as accepted, never changed afterwards. */
export const batches = sqliteTable(
  "batches",
  {
    /** Time and random bits (see row-id.ts), chosen by the writer. */
    id: integer("id").primaryKey(),
    /** Names this very write: with the id it answers "did my unclear commit happen?" by one seek. */
    nonce: text("nonce").notNull(),
    tenant: text("tenant").notNull(),
    stream: text("stream").notNull(),
    /** Producer and positions, first to last inclusive, one an entry; null where the events have none. */
    producer: text("producer"),
    first: integer("first"),
    last: integer("last"),
    /** What calls upstream must not mix: entity, org and platform ids that go with them, JSON; empty for none. */
    context: text("context").notNull(),
    /**
     * The ids that the request named in its headers, part of its events' identity: `sentIdsText`, empty for none. Null
     * in rows from before they were: there `context` is what was sent, an entry's ordinal is its index in the body, and
     * equal contents were one event.
     */
    sentIds: text("sent_ids"),
    /** Idempotency key of the request, where it gives the events their identity. */
    idempotencyKey: text("idempotency_key"),
    /** The field that held an event's own id when it was filed; with the key and the position it gives every id again. */
    ownIdField: text("own_id_field"),
    /** The quarantine entry that this row sends again; its event keeps that entry's id. */
    replayOf: integer("replay_of"),
    receivedAt: integer("received_at").notNull(),
    /** When each entry was first received by an agent on the way, JSON array of texts; null where none was reported. */
    times: text("times"),
    /** A fixed number of bytes an entry: see entries.ts. */
    entries: blob("entries", { mode: "buffer" }).notNull(),
    /** The events' source texts, joined by commas. */
    payload: text("payload").notNull(),
    /**
     * Its place among its stream's batches, drawn where it commits: the time of its id, but always above the last one's.
     * A list follows it, for an id is drawn before its commit, and one drawn earlier may commit later. 0 for a replay,
     * which no list shows.
     */
    seq: integer("seq").notNull().default(0),
    /** When its payload left (see worker/retention), and where it is in the archive; null while it is here, or gone. */
    prunedAt: integer("pruned_at"),
    archive: text("archive"),
  },
  (table) => [
    index("batches_position").on(table.tenant, table.stream, table.producer, table.first).where(sql`first IS NOT NULL`),
    // A producer's events that have no position of their own: few, since the position was then another's.
    index("batches_unplaced")
      .on(table.tenant, table.stream, table.producer)
      .where(sql`first IS NULL AND producer IS NOT NULL AND replay_of IS NULL`),
    // For reading a stream's events in their order. What reads seq reads it here: in the row it stands behind the payload.
    index("batches_seq").on(table.tenant, table.stream, table.seq).where(sql`replay_of IS NULL`),
    // Which ids a stream's requests named; few rows, since most name none.
    index("batches_sent_ids").on(table.tenant, table.stream, table.sentIds).where(sql`sent_ids > ''`),
  ],
);

/**
 * Batches that no call upstream owns yet, with what packing needs to know. A table of its own because SQLite
 * rewrites a whole row, payload included, when one of its flags changes.
 */
export const outbox = sqliteTable(
  "outbox",
  {
    tenant: text("tenant").notNull(),
    stream: text("stream").notNull(),
    batch: integer("batch").notNull(),
    context: text("context").notNull(),
    /** Entries of the batch, and how many of them are to be sent. */
    entries: integer("entries").notNull(),
    events: integer("events").notNull(),
    /** Bytes of the payload. */
    bytes: integer("bytes").notNull(),
  },
  // By lane: what waits together is found, and left alone, together.
  (table) => [primaryKey({ columns: [table.tenant, table.stream, table.context, table.batch] })],
);

/** One small row for each event that is known by its own id, an idempotency key or its content. */
export const keys = sqliteTable("keys", {
  /** First 16 bytes of SHA-256 over tenant, kind, stream and identity. */
  key: blob("key", { mode: "buffer" }).primaryKey(),
  batch: integer("batch").notNull(),
  entry: integer("entry").notNull(),
});

/** Second contents of events that were corrected in quarantine: both are known as this event from then on. */
export const corrections = sqliteTable(
  "corrections",
  {
    batch: integer("batch").notNull(),
    entry: integer("entry").notNull(),
    /** First 16 bytes of the corrected content's hash. */
    hash: blob("hash", { mode: "buffer" }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.batch, table.entry, table.hash] })],
);

/**
 * Where events are that only their producer's position makes known, by the last five digits of their ids: see
 * worker/ledger/index-entries.ts. On each level the digits are cut into eight times as many parts as on the one before.
 */
export const indexBlocks = sqliteTable(
  "index_blocks",
  {
    tenant: text("tenant").notNull(),
    level: integer("level").notNull(),
    part: integer("part").notNull(),
    /** The tenant's version that made it. */
    version: integer("version").notNull(),
    entries: text("entries").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.level, table.part, table.version] })],
);

/** Up to which `seq` a stream's batches are in the index. */
export const indexMarks = sqliteTable(
  "index_marks",
  {
    tenant: text("tenant").notNull(),
    stream: text("stream").notNull(),
    seq: integer("seq").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.stream] })],
);

/** How a tenant's index stands: each change of it claims the next version. */
export const indexProgress = sqliteTable("index_progress", {
  tenant: text("tenant").primaryKey(),
  version: integer("version").notNull(),
  /** Names the change that made the version, whose other statements look for it. */
  nonce: text("nonce").notNull(),
  /** Parts that may be full, JSON [[level, first part, last part], …], the next one last. */
  splits: text("splits").notNull(),
});

/** How far retention has come, by what it goes through: batches and calls by their ids. */
export const retention = sqliteTable("retention", {
  name: text("name").primaryKey(),
  mark: integer("mark").notNull(),
});

/** Batches that could not leave when retention passed them: something of them waited, or was delivered late. */
export const retentionLate = sqliteTable(
  "retention_late",
  {
    batch: integer("batch").primaryKey(),
    /** When to look again. */
    lookAt: integer("look_at").notNull(),
  },
  (table) => [index("retention_late_look").on(table.lookAt)],
);

/** Positions accepted, coalesced: as many rows as a producer's stream has gaps, plus one. */
export const ranges = sqliteTable(
  "ranges",
  {
    tenant: text("tenant").notNull(),
    stream: text("stream").notNull(),
    producer: text("producer").notNull(),
    first: integer("first").notNull(),
    last: integer("last").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.stream, table.producer, table.first] })],
);

/** The running count of each stream and producer ('' for events without one). Pending is what remains. */
export const counters = sqliteTable(
  "counters",
  {
    tenant: text("tenant").notNull(),
    stream: text("stream").notNull(),
    producer: text("producer").notNull(),
    accepted: integer("accepted").notNull().default(0),
    duplicates: integer("duplicates").notNull().default(0),
    conflicts: integer("conflicts").notNull().default(0),
    delivered: integer("delivered").notNull().default(0),
    quarantined: integer("quarantined").notNull().default(0),
    discarded: integer("discarded").notNull().default(0),
    /** The lineage of the key that used the producer's name here first; null: nobody's yet, or events without one. */
    owner: text("owner"),
    /** Its rows in `ranges`: one more than it has gaps. */
    spans: integer("spans").notNull().default(0),
    /** See shared/ledger-digest.ts. Halves of 32 bits: D1 rounds integers above 2^53. */
    digestHigh: integer("digest_high").notNull().default(0),
    digestLow: integer("digest_low").notNull().default(0),
    /**
     * How many events the digest covers: fewer than were taken where some came before there was this digest. It is then
     * compared with nothing.
     */
    digested: integer("digested").notNull().default(0),
    // Sums over ids from before. Code from before may still run beside this one and adds to them; no other reads them.
    digest0: integer("digest0").notNull().default(0),
    digest1: integer("digest1").notNull().default(0),
    digest2: integer("digest2").notNull().default(0),
    digest3: integer("digest3").notNull().default(0),
    positions0: integer("positions0").notNull().default(0),
    positions1: integer("positions1").notNull().default(0),
    positions2: integer("positions2").notNull().default(0),
    positions3: integer("positions3").notNull().default(0),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.stream, table.producer] })],
);

/** Calls upstream, fixed before they are first sent: a repeat is the same call with the same key. */
export const shipments = sqliteTable(
  "shipments",
  {
    id: integer("id").primaryKey(),
    tenant: text("tenant").notNull(),
    stream: text("stream").notNull(),
    context: text("context").notNull(),
    /** The idempotency-key header of every attempt, and its name outside: ids count the calls of all tenants. */
    callKey: text("call_key").notNull(),
    /** Where its last attempt went; while what came of that is unknown it goes nowhere else. */
    destination: text("destination"),
    /** JSON array of [batch, first entry, last entry], inclusive. */
    parts: text("parts").notNull(),
    events: integer("events").notNull(),
    /** Bytes of its events, about; null where a call was fixed before this was kept. */
    bytes: integer("bytes"),
    /** The reprocessing group of a persist event, and whether it closes the group: it then waits for the rest. */
    reprocessId: text("reprocess_id"),
    closes: integer("closes").notNull().default(0),
    state: text("state", { enum: ["open", "delivered", "split", "quarantined"] }).notNull(),
    attempts: integer("attempts").notNull().default(0),
    /** 1 while an attempt is under way; found so by a later lease, that attempt's outcome is unknown. */
    inFlight: integer("in_flight").notNull().default(0),
    outcomeUnknown: integer("outcome_unknown").notNull().default(0),
    leaseUntil: integer("lease_until").notNull().default(0),
    nextAt: integer("next_at").notNull().default(0),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [
    index("shipments_open").on(table.tenant, table.stream, table.context, table.id).where(sql`state = 'open'`),
  ],
);

/** Which calls carried a batch: for reporting what became of an event. */
export const shipmentParts = sqliteTable(
  "shipment_parts",
  {
    batch: integer("batch").notNull(),
    shipment: integer("shipment").notNull(),
  },
  (table) => [primaryKey({ columns: [table.batch, table.shipment] })],
);

/** Reprocessing groups of persist events: how many were accepted, how many are settled upstream, and the end. */
export const reprocessGroups = sqliteTable(
  "reprocess_groups",
  {
    tenant: text("tenant").notNull(),
    reprocessId: text("reprocess_id").notNull(),
    accepted: integer("accepted").notNull(),
    settled: integer("settled").notNull().default(0),
    /** 1 once its last item was accepted; a later one is rejected. */
    closed: integer("closed").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.reprocessId] })],
);

/** Every attempt of every call that got an answer, or none in time. */
export const attempts = sqliteTable(
  "attempts",
  {
    shipment: integer("shipment").notNull(),
    attempt: integer("attempt").notNull(),
    at: integer("at").notNull(),
    durationMs: integer("duration_ms").notNull(),
    /** HTTP status; null where no answer came. */
    status: integer("status"),
    verdict: text("verdict").notNull(),
    /** The response's text, cut to 1,000 characters. */
    message: text("message"),
  },
  (table) => [primaryKey({ columns: [table.shipment, table.attempt] })],
);

/** What waits, why and until when: a destination, its credentials, or one lane. A row goes once a call gets through. */
export const holds = sqliteTable(
  "holds",
  {
    /** Names what is held: see worker/delivery/scopes.ts. */
    scope: text("scope").primaryKey(),
    kind: text("kind", { enum: ["destination", "credentials", "lane"] }).notNull(),
    /** The vendor, and which of its accounts. */
    vendor: text("vendor").notNull(),
    destination: text("destination").notNull(),
    /** Of a lane; empty for what is wider. */
    tenant: text("tenant").notNull(),
    stream: text("stream").notNull(),
    context: text("context").notNull(),
    /** Passing trouble (retry), asked to wait, or a person's to mend (pause). */
    verdict: text("verdict", { enum: ["retry", "wait", "pause"] }).notNull(),
    /** HTTP status; null where no answer came. */
    status: integer("status"),
    reason: text("reason").notNull(),
    since: integer("since").notNull(),
    until: integer("until").notNull(),
    /** Failed attempts since it began. */
    attempts: integer("attempts").notNull(),
    /** One call at a time tries whether it still holds; until then no other does. */
    probingUntil: integer("probing_until").notNull().default(0),
    /** When the log is to tell of it next, and whether it ever did. */
    tellAt: integer("tell_at").notNull(),
    told: integer("told").notNull(),
  },
  (table) => [index("holds_tell").on(table.tellAt)],
);

/** Events that wait for a person, and what became of them. */
export const quarantine = sqliteTable(
  "quarantine",
  {
    id: integer("id").primaryKey(),
    tenant: text("tenant").notNull(),
    /**
     * Its number among its tenant's, by which it is known outside: `id` would tell how much others have. Null only for a
     * moment, where code from before it writes the row: a trigger of the migration numbers it.
     */
    number: integer("number"),
    stream: text("stream").notNull(),
    producer: text("producer").notNull(),
    batch: integer("batch").notNull(),
    entry: integer("entry").notNull(),
    eventId: text("event_id").notNull(),
    /** Source text. */
    event: text("event").notNull(),
    context: text("context").notNull(),
    /** JSON array of validation errors. */
    reasons: text("reasons").notNull(),
    /** The response's text where the upstream was the one to refuse. */
    upstream: text("upstream"),
    createdAt: integer("created_at").notNull(),
    state: text("state", { enum: ["open", "replayed", "discarded"] }).notNull(),
    /** When and, for a discard, why it was settled. */
    settledAt: integer("settled_at"),
    note: text("note"),
    /** The batch by which it went up again last, corrected or not; also of an entry that is open because that failed. */
    replayBatch: integer("replay_batch"),
    /** How often it was replayed. */
    attempts: integer("attempts").notNull().default(0),
  },
  (table) => [
    index("quarantine_tenant").on(table.tenant, table.state, table.number),
    uniqueIndex("quarantine_number").on(table.tenant, table.number),
    index("quarantine_batch").on(table.batch, table.entry),
  ],
);

/**
 * Meter data that was accepted, one row an event, as it was named: what it costs is the catalog's to say, whenever
 * asked. Ids rise in the order of commits, a tenant each its own, and are never used twice.
 */
export const facts = sqliteTable(
  "facts",
  {
    tenant: text("tenant").notNull(),
    id: integer("id").notNull(),
    /** Meter and customer as the event names them: JSON [[id, reference], [id, reference]]. */
    subject: text("subject").notNull(),
    at: integer("at").notNull(),
    /** The entry of its batch (see fact_runs). */
    entry: integer("entry").notNull(),
    /** Subscription and properties as the event names them: see worker/usage/measure.ts. */
    context: text("context").notNull(),
    /** JSON [[id, reference, currency or null, quantity as it was written], …]. */
    quantities: text("quantities").notNull(),
    /** 1 once a correction took its place or it was discarded. */
    void: integer("void").notNull().default(0),
  },
  (table) => [
    primaryKey({ columns: [table.tenant, table.id] }),
    // For the days that a calculation must read event by event.
    index("facts_subject").on(table.tenant, table.subject, table.at),
  ],
);

/** Which facts came of a batch, first to last inclusive: how the fact of an event is found. */
export const factRuns = sqliteTable(
  "fact_runs",
  {
    batch: integer("batch").notNull(),
    first: integer("first").notNull(),
    last: integer("last").notNull(),
    tenant: text("tenant").notNull(),
  },
  (table) => [primaryKey({ columns: [table.batch, table.first] })],
);

/** How far a tenant's facts are folded into totals. */
export const usageProgress = sqliteTable(
  "usage_progress",
  {
    tenant: text("tenant").primaryKey(),
    /** Every fact up to this id is in day_totals; later ones are not. */
    folded: integer("folded").notNull(),
    /** Rises whenever a fact is voided or a day rebuilt: what was read before is then not written. */
    epoch: integer("epoch").notNull(),
    /** Names the last fold, whose other statements look for it. */
    nonce: text("nonce").notNull(),
    /** How often in a row folding failed; then it is set aside until a time (milliseconds since 1970). */
    failures: integer("failures").notNull().default(0),
    asideUntil: integer("aside_until").notNull().default(0),
    /** Why it failed last, in the words of the error. */
    failure: text("failure"),
  },
  (table) => [index("usage_progress_failures").on(table.failures)],
);

/** The long contexts of facts, each once, by the hash that series name them by. */
export const usageContexts = sqliteTable(
  "usage_contexts",
  {
    tenant: text("tenant").notNull(),
    /** 32 hexadecimal digits of the text's SHA-256. */
    hash: text("hash").notNull(),
    /** JSON, as in facts. */
    context: text("context").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.hash] })],
);

/** What a UTC day's facts come to, whatever the catalog: one row for each way they were named. */
export const dayTotals = sqliteTable(
  "day_totals",
  {
    tenant: text("tenant").notNull(),
    subject: text("subject").notNull(),
    /** Days since 1970. */
    day: integer("day").notNull(),
    /** JSON [id, reference, currency or null, subscription, properties], or the hash of a long context for the last two. */
    series: text("series").notNull(),
    /** Exact decimals. */
    sum: text("sum").notNull(),
    least: text("least").notNull(),
    greatest: text("greatest").notNull(),
    count: integer("count").notNull(),
    /** JSON array of the numerically distinct values; null where there are too many to keep. */
    distinctValues: text("distinct_values"),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.subject, table.day, table.series] })],
);

/** Days of which a folded fact was voided: read event by event until their totals are made anew. */
export const dirtyDays = sqliteTable(
  "dirty_days",
  {
    tenant: text("tenant").notNull(),
    subject: text("subject").notNull(),
    day: integer("day").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.subject, table.day] })],
);
