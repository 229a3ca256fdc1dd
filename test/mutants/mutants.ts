/** The ways to break the product that its tests must notice. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  /** Stands in the file once. */
  readonly find: string;
  readonly replace: string;
  /** Test files that must notice. */
  readonly tests: readonly string[];
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: "deduplication off",
    file: "worker/ledger/plan.ts",
    find: 'if (before !== undefined) return before.includes(hash) ? "duplicate" : "conflict";',
    replace: "void before;",
    tests: ["test/worker/usage-contract.test.ts", "test/worker/positions.model.test.ts"],
  },
  {
    name: "conflicts taken for duplicates",
    file: "worker/ledger/plan.ts",
    find: 'before.includes(hash) ? "duplicate" : "conflict"',
    replace: '"duplicate"',
    tests: ["test/worker/positions.model.test.ts"],
  },
  {
    name: "numbers re-serialised",
    file: "worker/ledger/plan.ts",
    find: "row.sources.push(event.source)",
    replace: "row.sources.push(JSON.stringify(JSON.parse(event.source)))",
    tests: ["test/worker/usage-door.test.ts"],
  },
  {
    name: "idempotency key drawn anew for each attempt",
    file: "worker/delivery/ship.ts",
    find: "callKey: shipment.callKey,",
    replace: "callKey: crypto.randomUUID(),",
    tests: ["test/worker/delivery.test.ts", "test/worker/crash-points.test.ts"],
  },
  {
    name: "the filing not one transaction",
    file: "worker/ledger/file-request.ts",
    find: "const [first] = await db.batch(statements);",
    replace: "let first; for (const statement of statements) { const done = await statement.run(); first ??= done; }",
    tests: ["test/worker/crash-points.test.ts", "test/worker/ledger-cost.test.ts"],
  },
  {
    name: "the claim does not look for taken positions",
    file: "worker/ledger/filing-sql.ts",
    find: "ORDER BY first DESC LIMIT 1) >= run.value ->> 0)",
    replace: "ORDER BY first DESC LIMIT 1) >= run.value ->> 0 AND false)",
    tests: ["test/worker/positions.model.test.ts", "test/worker/usage-contract.test.ts"],
  },
  {
    name: "the settlement not one transaction with the count",
    file: "worker/delivery/settlements.ts",
    find: "  await db.batch([\n    SQL.RECORD_ATTEMPT.bind(db, { ...lease, ...record }),\n    ...settlementStatements(db, lease, shipment, settlement, now),\n  ]);",
    replace:
      "  for (const statement of settlementStatements(db, lease, shipment, settlement, now).reverse()) await statement.run();",
    tests: ["test/worker/crash-points.test.ts", "test/worker/delivery.test.ts"],
  },
  {
    name: "a 2xx that does not account for the events taken for delivered",
    file: "shared/verdict.ts",
    find: 'none: { kind: "retry" },',
    replace: 'none: { kind: "delivered" },',
    tests: ["test/shared/verdict.test.ts"],
  },
  {
    name: "a pattern that need not match the whole text",
    file: "shared/events/solvimon-fields.ts",
    find: "export const REFERENCE = /^[a-zA-Z0-9_-]*$/;",
    replace: "export const REFERENCE = /^[a-zA-Z0-9_-]*/;",
    tests: ["test/worker/solvimon-fields.test.ts"],
  },
  {
    name: "lengths counted in UTF-16 units",
    file: "shared/events/solvimon-fields.ts",
    find: "[...value].length",
    replace: "value.length",
    tests: ["test/worker/solvimon-fields.test.ts"],
  },
  {
    name: "an answer that writes values anew",
    file: "shared/intake/solvimon-answer.ts",
    find: "member.source}`);",
    replace: "JSON.stringify(JSON.parse(member.source))}`);",
    tests: ["test/worker/solvimon-roundtrip.model.test.ts"],
  },
  {
    name: "anyone may name a tenant",
    file: "worker/accounts/principal.ts",
    find: 'tenant === principal.tenant || isPermitted(principal, "WEIR.OPERATOR")',
    replace: 'tenant === principal.tenant || isPermitted(principal, "WEIR.ADMIN")',
    tests: ["test/worker/isolation.test.ts"],
  },
  {
    name: "a key found by its id alone",
    file: "worker/accounts/key-store.ts",
    find: "and(eq(apiKeys.tenant, tenant), eq(apiKeys.id, id))",
    replace: "eq(apiKeys.id, id)",
    tests: ["test/worker/isolation.test.ts"],
  },
  {
    name: "credentials believed for a minute",
    file: "worker/accounts/api-keys.ts",
    find: "KEY_TTL_MS = 5_000",
    replace: "KEY_TTL_MS = 60_000",
    tests: ["test/worker/isolation.test.ts"],
  },
  {
    name: "a page that begins after its cursor",
    file: "worker/ledger/event-reader.ts",
    find: "entry >= from.entry",
    replace: "entry > from.entry",
    tests: ["test/worker/events-list.test.ts"],
  },
  {
    name: "streams merged without a bound",
    file: "worker/ledger/event-reader.ts",
    find: ".filter((row) => row.id <= bound)",
    replace: ".filter(() => bound > 0)",
    tests: ["test/worker/events-list.test.ts"],
  },
  {
    name: "a 409 after a lost answer taken for a refusal",
    file: "shared/verdict.ts",
    find: 'if (status === 409 && history.outcomeUnknown) return { kind: "delivered" };',
    replace: "",
    tests: ["test/e2e/mixed-survival.proof.test.ts"],
  },
  {
    name: "agent: no response taken for a yes",
    file: "shared/verdict.ts",
    find: 'if (result.kind === "no-response") return { kind: "retry" };',
    replace: 'if (result.kind === "no-response") return { kind: "delivered" };',
    tests: ["test/e2e/torture.proof.test.ts"],
  },
  {
    name: "agent: an attempt not written down before it is made",
    file: "agent/upload/attempts.ts",
    find: "if (current.attempted >= attempted) return true;",
    replace: "return true;",
    tests: ["test/agent/solvimon-dialect.test.ts"],
  },
  {
    name: "agent: a try on a connection that was closed under it forgotten",
    file: "agent/upload/call.ts",
    find: 'outcomeUnknown ||= left && result.kind === "answer" && result.repeated;',
    replace: "",
    tests: ["test/agent/kept-connections.test.ts"],
  },
  {
    name: "agent: what is kept for a while dated by the time of day",
    file: "agent/buffer/tables/age.ts",
    find: "before + Math.floor(tick() - openedAt)",
    replace: "Math.max(before, Date.now())",
    tests: ["test/agent/store.test.ts"],
  },
  {
    name: "agent: how far a file was read not kept with its lines",
    file: "agent/buffer/transactions/append.ts",
    find: "if (input.tail !== undefined) tables.tails.keep(input.tail);",
    replace: "",
    tests: ["test/e2e/torture.proof.test.ts"],
  },
  {
    name: "agent: idempotency keys not kept with their events",
    file: "agent/buffer/transactions/append.ts",
    find: "tables.keys.keep(stream.id, idempotency, known.through, firstPosition, receivedAt);",
    replace: "void firstPosition;",
    tests: ["test/e2e/torture.proof.test.ts"],
  },
  {
    name: "agent: a retried event waits under another position",
    file: "agent/buffer/transactions/release.ts",
    find: "  tables.batches.insertAgain(stream, position, { scope, receivedAt }, run);\n  tables.quarantine.retried",
    replace:
      "  tables.batches.insertAgain(stream, position + 1000, { scope, receivedAt }, run);\n  tables.quarantine.retried",
    tests: ["test/agent/agent.model.test.ts"],
  },
  {
    name: "agent: an event that is too large by itself dropped",
    file: "agent/upload/shipment.ts",
    find: ": [held(piece, 0, fate.reason)];",
    replace: ': fate.why === "size" ? [] : [held(piece, 0, fate.reason)];',
    tests: ["test/agent/agent.model.test.ts"],
  },
  {
    name: "agent: what fails to be written answered with a yes",
    file: "agent/buffer/log.ts",
    find: "for (const asked of group) asked.reject(error);",
    replace: 'for (const asked of group) asked.resolve({ kind: "durable", firstPosition: 1, known: [] });',
    tests: ["test/agent/failing-disk.test.ts"],
  },
  {
    name: "agent: room that comes back not looked for",
    file: "agent/buffer/store.ts",
    find: "      giveBack();\n      reserve.restore();",
    replace: "      giveBack();",
    tests: ["test/agent/agent.model.test.ts"],
  },
  {
    name: "agent: the checksum of events not looked at",
    file: "agent/buffer/tables/batches.ts",
    find: "sound: crc === null || crc === checksum(ends, body)",
    replace: "sound: true",
    tests: ["test/agent/damaged-row.test.ts"],
  },
  {
    name: "agent: commits not synced",
    file: "agent/buffer/disk/database.ts",
    find: "synchronous = FULL",
    replace: "synchronous = OFF",
    tests: ["test/agent/power-cut"],
  },
  {
    name: "agent: an answer before the commit",
    file: "agent/intake/usage-door.ts",
    find: "const outcome = await log.append(operation);",
    replace:
      'void log.append(operation); const outcome = { kind: "durable", firstPosition: 1, known: [] } as AppendOutcome;',
    tests: ["test/agent/power-cut"],
  },
  {
    name: "agent: the name of a new directory not synced",
    file: "agent/buffer/disk/directory.ts",
    find: "    syncDirectory(above);\n",
    replace: "",
    tests: ["test/agent/power-cut"],
  },
  {
    name: "agent: a torn log taken for a damaged one",
    file: "agent/buffer/disk/wal-check.ts",
    find: "followsEnd = isBelieved && ",
    replace: "followsEnd ||= ofThisLog && ",
    tests: ["test/agent/wal-check.test.ts"],
  },
  {
    name: "agent: a write-ahead log that was taken away not missed",
    file: "agent/buffer/disk/commit-count.ts",
    find: "if (reported <= there) return null;",
    replace: "if (reported >= 0) return null;",
    tests: ["test/agent/damage.test.ts"],
  },
];
