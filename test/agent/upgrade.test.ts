/** Logs as earlier versions left them open where they lie, with all that was in them. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { openStore, type Store } from "../../agent/buffer/store.ts";
import { NO_SCOPE } from "../../agent/buffer/tables/scope.ts";
import type { Operation } from "../../agent/buffer/transactions/operations.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { knownOf } from "./support/known-of.ts";
import { packEvents } from "./support/pack-events.ts";

interface Opened {
  readonly store: Store;
  readonly directory: string;
}

function openFixture(version: number): Opened {
  const { path, remove } = tempDir("weir-upgrade");
  const fixture = new URL(`./fixtures/buffer-v${version}.db.gz`, import.meta.url);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "buffer.db"), gunzipSync(readFileSync(fixture)));
  const store = openStore({ directory: path, bytesMax: 64e6 });
  onTestFinished(() => {
    store.close();
    remove();
  });
  expect(store.state.setAside).toBeNull();
  expect(Object.fromEntries(store.state.metadata)).toMatchObject({ id: "fixture", log: `AAAAAAA${version}` });
  return { store, directory: path };
}

/** The same request again: under the key that the fixture's log holds, with the content of which it has the hash. */
function keyed(byte: number): Operation<"append"> {
  return {
    kind: "append",
    stream: "usage/m",
    scope: NO_SCOPE,
    receivedAt: 3000,
    events: packEvents(["{}"]),
    idempotency: { key: "k", hashes: new Uint8Array(16).fill(byte), ownIds: new Uint8Array(1) },
    strict: true,
  };
}

/** Everything delivered, the log is as sound as one that was always of this version. */
function expectSound({ store, directory }: Opened, last: number): void {
  store.run([{ kind: "settle", stream: "usage/m", first: 1, count: last, at: 3000, quarantine: [] }]);
  expect(store.run([{ kind: "verify" }]).outcomes).toEqual([[]]);
  expect(readdirSync(directory)).not.toContain("damaged");
}

test("a log of version 1: pending, quarantined and known by key", () => {
  const opened = openFixture(1);
  const { store } = opened;
  const ledger = { accepted: 18, delivered: 3, pending: 13, quarantined: 2, discarded: 0, nextPosition: 19 };
  expect(store.state.ledgers).toMatchObject([ledger]);
  expect(store.run([{ kind: "verify" }, { kind: "positions", stream: "usage/m" }]).outcomes).toEqual([
    [],
    {
      kind: "positions",
      pending: [
        [1, 2],
        [7, 12],
        [14, 18],
      ],
      withheld: [
        [4, 4],
        [13, 13],
      ],
    },
  ]);
  const [known] = store.run([keyed(0)]).outcomes;
  expect(known).toMatchObject({ kind: "durable" });
  expect(knownOf(known)).toMatchObject([{ index: 0, position: 16, same: true }]);
  expectSound(opened, 18);
});

test.each([2, 3, 4, 5])(
  "a log of version %i: pending, quarantined, retained, followed files, keys and fixed calls",
  (version) => {
    const opened = openFixture(version);
    const { store } = opened;
    expect(store.state.ledgers).toMatchObject([
      { accepted: 17, delivered: 6, pending: 9, quarantined: 2, discarded: 0, nextPosition: 18 },
    ]);
    expect(store.run([{ kind: "verify" }, { kind: "positions", stream: "usage/m" }]).outcomes).toEqual([
      [],
      {
        kind: "positions",
        pending: [
          [5, 11],
          [13, 14],
        ],
        withheld: [
          [12, 12],
          [16, 16],
        ],
      },
    ]);
    const [known] = store.run([keyed(7)]).outcomes;
    expect(known).toMatchObject({ kind: "durable" });
    expect(knownOf(known)).toMatchObject([{ index: 0, position: 13, same: true }]);
    const tail = { path: "/var/log/app.ndjson", inode: "42", offset: 99, headBytes: 9, head: "abc" };
    expect(store.run([{ kind: "tails", path: tail.path }]).outcomes).toEqual([[tail]]);
    const calls = version === 2 ? [] : [{ stream: "usage/m", first: 5, count: 3, key: "shipment-key", attempted: 1 }];
    expect(store.run([{ kind: "fixed" }]).outcomes).toEqual([calls]);
    // What was delivered is still kept for an audit; housekeeping right after the upgrade forgets none of it.
    store.run([{ kind: "tidy", retainMs: 3_600_000 }]);
    expect(store.run([{ kind: "resend", stream: "usage/m", first: 15, last: 17 }]).outcomes).toEqual([
      { kind: "resent", count: 2 },
    ]);
    expectSound(opened, 17);
  },
);

test("a log of version 5: an event that was refused three times says so, and is sent again once", () => {
  const { store } = openFixture(5);
  const list = () => store.run([{ kind: "quarantined", state: null, after: 0, limit: 9 }]).outcomes[0];
  const counts = () =>
    list().map(({ id, state, attempts, earlierReasons }) => [id, state, attempts, earlierReasons].join(" "));
  expect(counts()).toEqual(["1 held 0 0", "2 retried 1 0", "3 retried 2 1", "4 held 2 2"]);
  // What is held is not delivered, whatever became of an earlier entry of it.
  expect(store.run([{ kind: "resend", stream: "usage/m", first: 16, last: 16 }]).outcomes).toEqual([
    { kind: "resent", count: 0 },
  ]);
  store.run([{ kind: "retry", id: 4, event: null, scope: null }]);
  const reason = { status: 422, message: "refused once more" };
  const quarantine = [{ position: 16, reason }];
  store.run([{ kind: "settle", stream: "usage/m", first: 16, count: 1, at: 4000, quarantine }]);
  expect(counts()).toEqual(["1 held 0 0", "2 retried 1 0", "3 retried 2 1", "4 held 3 3"]);
  expect(list().at(-1)).toMatchObject({ reason, at: 4000, position: 16 });
});

test("a log of version 5 knows the bodies it took", () => {
  const { store } = openFixture(5);
  const again = { ...keyed(0), idempotency: null, bodyHash: new Uint8Array(16).fill(5) };
  expect(store.run([again]).outcomes).toEqual([{ kind: "repeated", firstPosition: 1, receivedAt: 1000 }]);
});
