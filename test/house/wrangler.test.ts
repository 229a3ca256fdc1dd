/** An environment of wrangler.toml inherits no binding: what the top level has, staging has, under names of its own. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { describe, expect, test } from "vitest";
import { deploymentOf } from "../../tools/wrangler/configuration.ts";
import { ROOT } from "../support/product-copy.ts";

type Tables = Readonly<Record<string, unknown>>;

const document = parse(readFileSync(join(ROOT, "wrangler.toml"), "utf8"));
const env = document["env"] as Record<string, Tables>;
const top = Object.fromEntries(Object.entries(document).filter(([name]) => name !== "env")) as Tables;
/** Wrangler's own list of what environments do inherit; the rest must be said again. */
const INHERITED = [
  ...["name", "main", "compatibility_date", "compatibility_flags", "send_metrics", "observability"],
  ...["account_id", "routes", "route", "workers_dev", "limits", "placement"],
];

/** A value with the names that each deployment has for itself taken out. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value !== "object" || value === null) return value;
  const own = new Set(["database_name", "database_id", "queue", "dead_letter_queue", "namespace_id", "bucket_name"]);
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, own.has(name) ? "NAME" : shapeOf(inner)]),
  );
}

describe("[env.staging]", () => {
  const staging: Tables = env["staging"] ?? {};
  const said = Object.keys(top).filter((name) => !INHERITED.includes(name));

  test.each(said.filter((name) => name !== "vars"))("has %s as the top level has it, by names of its own", (name) => {
    expect(shapeOf(staging[name])).toEqual(shapeOf(top[name]));
  });

  test("has every setting that the top level has", () => {
    expect(Object.keys(staging["vars"] ?? {}).sort()).toEqual(Object.keys(top["vars"] ?? {}).sort());
  });

  test("shares no database, queue, bucket or counter with production", () => {
    const names = (of: unknown): string[] =>
      Object.entries(of ?? {}).flatMap(([name, value]) => {
        if (typeof value === "object") return names(value);
        const isOwn = /^(database_name|queue|dead_letter_queue|namespace_id|bucket_name)$/.test(name);
        return isOwn ? [String(value)] : [];
      });
    const shared = names(staging).filter((name) => names(top).includes(name));
    expect(shared).toEqual([]);
    expect(names(staging).length).toBeGreaterThan(4);
  });
});

// The Worker tells dead letters from nudges by the end of their queue's name.
test.each([null, "staging"])("queues of dead letters end in -dead, and no other does (%s)", (name) => {
  const { queues } = (name === null ? top : env[name]) as {
    queues: { producers: { queue: string }[]; consumers: { queue: string; dead_letter_queue?: string }[] };
  };
  const dead = queues.consumers.flatMap(({ dead_letter_queue }) => dead_letter_queue ?? []);
  const live = queues.producers.map(({ queue }) => queue);
  expect([dead.length, live.length]).toEqual([1, 1]);
  expect(dead.filter((queue) => !queue.endsWith("-dead"))).toEqual([]);
  expect(live.filter((queue) => queue.endsWith("-dead"))).toEqual([]);
  expect(deploymentOf(document, name).queues).toEqual([...live, ...dead]);
});
