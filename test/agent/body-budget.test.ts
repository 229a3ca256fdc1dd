/** The room for bodies: who waits, who does not, and who is next. */
import { expect, test } from "vitest";
import { createBodyBudget } from "../../agent/intake/body-budget.ts";

const MB = 1_000_000;
const budgetOf = (waitMsMax = 60_000) => createBodyBudget({ bytesMax: 6 * MB, waitMsMax });

test("the large body that came first always finds room; another waits until it ends, and is then the first", async () => {
  const budget = budgetOf();
  const [first, second, third] = [budget.share(), budget.share(), budget.share()];
  expect(first.take(4 * MB)).toBe(true);
  expect(second.take(2 * MB)).toBe(true);
  expect(second.take(MB)).toBe(false);
  expect(first.take(10 * MB)).toBe(true);
  const order: string[] = [];
  const waiting = [
    second.wait(9 * MB).then((taken) => order.push(`second ${taken}`)),
    third.wait(9 * MB).then((taken) => order.push(`third ${taken}`)),
  ];
  first.end();
  await waiting[0];
  expect(order).toEqual(["second true"]);
  second.end();
  await waiting[1];
  expect(order).toEqual(["second true", "third true"]);
});

test("small bodies have room of their own beside any number of large ones, and are bounded too", () => {
  const budget = budgetOf();
  expect(budget.share().take(50 * MB)).toBe(true);
  let taken = 0;
  while (budget.share().take(50_000)) taken++;
  expect(taken).toBeGreaterThan(50);
  expect(taken * 50_000).toBeLessThan(5 * MB);
});

test("what is given back lets those go on that wait", async () => {
  const budget = budgetOf();
  const [first, second] = [budget.share(), budget.share()];
  expect(first.take(6 * MB)).toBe(true);
  const found = second.wait(MB);
  first.give(MB);
  expect(await found).toBe(true);
  expect(budget.share().take(MB)).toBe(false);
});

test("a wait is bounded, all waits of one request together", async () => {
  const budget = budgetOf(1);
  expect(budget.share().take(6 * MB)).toBe(true);
  const late = budget.share();
  expect(await late.wait(MB)).toBe(false);
  late.end();
});

test("one large body is worked on at a time, in turn; one that leaves is passed over, and holds up nobody", async () => {
  const budget = budgetOf();
  const [first, second, third] = [budget.share(), budget.share(), budget.share()];
  expect(await first.turn()).toBe(true);
  const turns = [second.turn(), third.turn()];
  second.end();
  expect(await turns[0]).toBe(false);
  first.done();
  expect(await turns[1]).toBe(true);
  third.end();
  expect(await first.turn()).toBe(true);
});

test("what was charged though there was no room is in the way of others, and gone with its request's end", () => {
  const budget = budgetOf();
  const [first, second] = [budget.share(), budget.share()];
  expect(first.take(MB)).toBe(true);
  first.charge(6 * MB);
  expect(second.take(MB)).toBe(false);
  first.end();
  expect(second.take(5 * MB)).toBe(true);
  expect(budget.share().take(MB)).toBe(true);
  expect(budget.share().take(MB)).toBe(false);
});
