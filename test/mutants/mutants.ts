/** The ways to break the product that its tests must notice. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  /** Stands in the file once. */
  readonly find: string;
  readonly replace: string;
  /** Test files, by a part of their path. */
  readonly tests: readonly string[];
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: "deduplication off",
    file: "worker/ledger/plan.ts",
    find: 'if (before !== undefined) return before.includes(hash) ? "duplicate" : "conflict";',
    replace: "void before;",
    tests: ["test/worker/usage-contract.test.ts", "test/worker/positions-model.test.ts"],
  },
  {
    name: "conflicts taken for duplicates",
    file: "worker/ledger/plan.ts",
    find: 'before.includes(hash) ? "duplicate" : "conflict"',
    replace: '"duplicate"',
    tests: ["test/worker/positions-model.test.ts"],
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
    tests: ["test/worker/positions-model.test.ts", "test/worker/usage-contract.test.ts"],
  },
  {
    name: "the settlement not one transaction with the count",
    file: "worker/delivery/outbox.ts",
    find: "  await db.batch(statements);\n}",
    replace: "  for (const statement of statements.reverse()) await statement.run();\n}",
    tests: ["test/worker/crash-points.test.ts", "test/worker/delivery.test.ts"],
  },
  {
    name: "a 2xx that does not account for the events taken for delivered",
    file: "shared/verdict.ts",
    find: 'return result.accounted === false ? { kind: "retry" } : { kind: "delivered" };',
    replace: 'return { kind: "delivered" };',
    tests: ["test/shared/verdict.test.ts"],
  },
];
