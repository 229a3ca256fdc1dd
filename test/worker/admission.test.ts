/** Room for bodies: taken as they come, given back by whoever goes without a word, and held by nobody against others. */
import { expect, it } from "vitest";
import { Admission, type Room } from "../../worker/intake/admission.ts";

const MB = 1_000_000;

/** An instance whose time passes only in its pauses; `onPause` is what others do meanwhile. */
function setup() {
  const host = { at: 0, onPause: (_now: number): void => {} };
  const admission = new Admission({
    now: () => host.at,
    pause: async (ms) => {
      host.at += ms;
      host.onPause(host.at);
    },
  });
  return { host, admission };
}

async function uploads(admission: Admission, tenant: string, count: number, bytes: number): Promise<Room[]> {
  const rooms = Array.from({ length: count }, () => admission.open(tenant));
  for (const room of rooms) expect(await room.hold(bytes)).toBe(true);
  return rooms;
}

it("bytes that came are what counts: a hundred bodies that were begun keep nobody out", async () => {
  const { host, admission } = setup();
  await uploads(admission, "a", 100, 1);
  expect(await admission.open("b").hold(40 * MB)).toBe(true);
  expect(host.at).toBe(0);
});

it("slow uploads that fill the room are given up for one that comes, the slowest first, and only as many as it takes", async () => {
  const { host, admission } = setup();
  const slow = [...(await uploads(admission, "a", 10, 2 * MB)), ...(await uploads(admission, "c", 12, 2 * MB))];
  host.at = 50_000;
  const [slower] = await uploads(admission, "a", 1, 20_000);
  host.at = 59_000;
  const other = admission.open("b");
  expect(await other.hold(6 * MB)).toBe(true);
  expect(other.isHeld()).toBe(true);
  expect(slower?.isHeld()).toBe(false);
  expect(slow.filter((room) => room.isHeld()).length).toBeGreaterThan(18);
});

it("fast uploads that fill the room are not given up: who comes later is refused after two seconds", async () => {
  const { host, admission } = setup();
  const rooms = [...(await uploads(admission, "a", 4, 10 * MB)), ...(await uploads(admission, "c", 1, 8 * MB))];
  host.at = 5_000;
  expect(await admission.open("b").hold(4 * MB)).toBe(false);
  expect(host.at).toBe(7_000);
  expect(rooms.every((room) => room.isHeld())).toBe(true);
});

it("a tenant with many bodies leaves room for another's", async () => {
  const { admission } = setup();
  await uploads(admission, "a", 10, 4 * MB);
  const eleventh = admission.open("a");
  expect(await eleventh.hold(5 * MB)).toBe(false);
  eleventh.leave();
  expect(await admission.open("b").hold(4 * MB)).toBe(true);
});

it("a body larger than all the room is taken alone", async () => {
  const { admission } = setup();
  const room = admission.open("a");
  expect(await room.hold(100 * MB)).toBe(true);
  expect(await room.work(100 * MB)).toBe(true);
});

it("large bodies are worked on in their order, and one tenant's many do not go before another's first", async () => {
  const { host, admission } = setup();
  const [first, second] = await uploads(admission, "a", 2, 4 * MB);
  const [other] = await uploads(admission, "b", 1, 4 * MB);
  expect(await first?.work(4 * MB)).toBe(true);
  const order: string[] = [];
  const enter = async (name: string, room: Room | undefined) => {
    expect(await room?.work(4 * MB)).toBe(true);
    order.push(name);
    if (order.length === 1) room?.leave();
  };
  host.onPause = (now) => {
    if (now > 200) first?.leave();
  };
  // The second of tenant a came first, while the first of it was being worked on.
  await Promise.all([enter("a's second", second), enter("b's first", other)]);
  expect(order).toEqual(["a's second", "b's first"]);
  order.length = 0;
  const third = admission.open("a");
  await third.hold(1);
  expect(await third.work(1)).toBe(true);
  const [late] = await uploads(admission, "a", 1, 4 * MB);
  const [later] = await uploads(admission, "c", 1, 4 * MB);
  host.onPause = (now) => {
    if (now > 1_000) second?.leave();
    if (now > 1_000) other?.leave();
  };
  await Promise.all([enter("a's late", late), enter("c's first", later)]);
  expect(order).toEqual(["c's first", "a's late"]);
});

it("the turn of one that is gone without a word passes to the next; its room ends by itself", async () => {
  const { host, admission } = setup();
  const [gone, waiting] = await uploads(admission, "a", 2, 4 * MB);
  expect(await gone?.work(4 * MB)).toBe(true);
  // Nobody calls leave() for it: the runtime ended its request.
  expect(await waiting?.work(4 * MB)).toBe(false);
  expect(host.at).toBe(5_000);
  host.at = 60_000;
  const [next] = await uploads(admission, "a", 1, 4 * MB);
  expect(await next?.work(4 * MB)).toBe(true);
  expect(host.at).toBe(60_000);
});

it("one that waited, and is heard of no more, keeps nobody waiting for longer than a second", async () => {
  const host = { at: 0, isFrozen: false };
  const admission = new Admission({
    now: () => host.at,
    // As the runtime ends a request: nothing of it is ever heard again.
    pause: (ms) => {
      if (host.isFrozen) return new Promise(() => {});
      host.at += ms;
      return Promise.resolve();
    },
  });
  const [working, gone, next] = await uploads(admission, "a", 3, 4 * MB);
  expect(await working?.work(4 * MB)).toBe(true);
  host.isFrozen = true;
  void gone?.work(4 * MB);
  host.isFrozen = false;
  working?.leave();
  expect(await next?.work(4 * MB)).toBe(true);
  expect(host.at).toBeLessThanOrEqual(1_000);
});
