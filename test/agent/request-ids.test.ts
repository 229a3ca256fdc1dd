import { expect, test } from "vitest";
import { createRequestIds } from "../../agent/runtime/request-ids.ts";

test("each answer's id is like no other's, of this process and of others, in Solvimon's form", () => {
  const [here, there] = [createRequestIds(), createRequestIds()];
  const ids = Array.from({ length: 10_000 }, (_, n) => (n % 2 === 0 ? here() : there()));
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.filter((id) => !/^reqr_[A-Za-z0-9]{20}$/.test(id))).toEqual([]);
});
