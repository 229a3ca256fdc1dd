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
  /** Lets time pass for uploads that are read meanwhile. */
  const pass = (until: number, rooms: readonly Room[]) => {
    for (; host.at < until; host.at = Math.min(until, host.at + 1_000)) for (const room of rooms) room.isHeld();
  };
  return { host, admission, pass };
}

async function uploads(admission: Admission, tenant: string, count: number, bytes: number): Promise<Room[]> {
  const rooms = Array.from({ length: count }, () => admission.open(tenant));
  for (const room of rooms) expect(await room.hold(bytes)).toBe(true);
  return rooms;
}

it("bytes that came are what counts: a hundred bodies that were begun keep nobody out", async () => {
  const { host, admission } = setup();
  await uploads(admission, "a", 100, 1);
  expect(await admission.open("b").hold(20 * MB)).toBe(true);
  expect(host.at).toBe(0);
});

it("slow uploads that fill the room are given up for one that comes, the slowest first, and only as many as it takes", async () => {
  const { admission, pass } = setup();
  const slow = [...(await uploads(admission, "a", 3, 2 * MB)), ...(await uploads(admission, "c", 6, 2 * MB))];
  pass(50_000, slow);
  const [slower] = await uploads(admission, "a", 1, 20_000);
  pass(55_000, slower === undefined ? slow : [...slow, slower]);
  const other = admission.open("b");
  expect(await other.hold(6 * MB)).toBe(true);
  expect(other.isHeld()).toBe(true);
  expect(slower?.isHeld()).toBe(false);
  expect(slow.every((room) => room.isHeld())).toBe(true);
});

it("fast uploads that fill the room are not given up: who comes later is refused after twenty-five seconds", async () => {
  const { host, admission, pass } = setup();
  const rooms = [...(await uploads(admission, "a", 5, 4 * MB)), ...(await uploads(admission, "c", 1, 4 * MB))];
  pass(5_000, rooms);
  host.onPause = () => void rooms.every((room) => room.isHeld());
  expect(await admission.open("b").hold(4 * MB)).toBe(false);
  expect(host.at).toBeLessThan(30_100);
  expect(rooms.every((room) => room.isHeld())).toBe(true);
});

it("a tenant with many bodies leaves room for another's, which goes before its own further ones", async () => {
  const { host, admission } = setup();
  const [first] = await uploads(admission, "a", 5, 4 * MB);
  const further = admission.open("a");
  const order: string[] = [];
  const enter = async (name: string, room: Room) => {
    if (await room.hold(4 * MB)) order.push(name);
  };
  host.onPause = () => order.length === 2 && first?.leave();
  await Promise.all([enter("a", further), enter("b", admission.open("b")), enter("c", admission.open("c"))]);
  expect(order.slice(0, 1)).toEqual(["b"]);
});

it("of many that come together in pieces each becomes whole, one after the other, and none is refused", async () => {
  const host = { at: 0, waking: [] as (readonly [at: number, wake: () => void])[] };
  const pause = (ms: number) => new Promise<void>((wake) => host.waking.push([host.at + ms, wake]));
  const admission = new Admission({ now: () => host.at, pause });
  const upload = async (tenant: string) => {
    const room = admission.open(tenant);
    for (let part = 0; part < 10; part++) {
      if (!(await room.hold(0.4 * MB, 4 * MB))) return false;
      // As bytes come: not all of one body's at once.
      await Promise.resolve();
    }
    const isIn = await room.work(4 * MB);
    // So long it is worked on.
    await pause(300);
    room.leave();
    return isIn;
  };
  const tenants = Array.from({ length: 15 }, (_, i) => (i % 3 === 0 ? "a" : `tenant-${i}`));
  const uploaded = Promise.all(tenants.map(upload));
  let isDone = false;
  void uploaded.then(() => {
    isDone = true;
  });
  while (!isDone) {
    // Whoever can go on has done so by then.
    await new Promise((resolve) => setTimeout(resolve, 0));
    host.waking.sort(([one], [other]) => one - other);
    const [at, wake] = host.waking.shift() ?? [host.at, () => {}];
    host.at = Math.max(host.at, at);
    wake();
  }
  expect(await uploaded).toEqual(Array(15).fill(true));
});

it("nothing is kept free for longer than a second for bodies that stopped coming", async () => {
  const { host, admission, pass } = setup();
  const stalled = Array.from({ length: 10 }, (_, i) => admission.open(`tenant-${i}`));
  for (const room of stalled) expect(await room.hold(1, 2 * MB)).toBe(true);
  host.onPause = () => pass(host.at, stalled);
  expect(await admission.open("b").hold(20 * MB)).toBe(true);
  expect(host.at).toBeLessThanOrEqual(1_000);
});

it("an upload that had to wait for room is not taken for a slow one", async () => {
  const { host, admission, pass } = setup();
  const filling = [...(await uploads(admission, "a", 5, 4 * MB)), ...(await uploads(admission, "c", 1, 3 * MB))];
  const waiting = admission.open("b");
  expect(await waiting.hold(16_000, 4 * MB)).toBe(true);
  host.onPause = (now) => {
    for (const room of filling) now > 8_000 ? room.leave() : room.isHeld();
  };
  expect(await waiting.hold(MB, 4 * MB)).toBe(true);
  expect(host.at).toBeGreaterThan(8_000);
  const others = await uploads(admission, "d", 4, 4 * MB);
  pass(host.at + 4_000, [waiting, ...others]);
  const late = admission.open("e");
  host.onPause = () => late.leave();
  expect(await late.hold(8 * MB)).toBe(false);
  expect(waiting.isHeld()).toBe(true);
});

it("small bodies are worked on beside a large one, and before another that waits for it", async () => {
  const { host, admission } = setup();
  const [working, next] = await uploads(admission, "a", 2, 4 * MB);
  expect(await working?.work(4 * MB)).toBe(true);
  const waiting = next?.work(4 * MB);
  const small = await uploads(admission, "a", 3, 0.1 * MB);
  for (const room of small) expect(await room.work(0.5 * MB)).toBe(true);
  expect(host.at).toBeLessThan(1_000);
  working?.leave();
  expect(await waiting).toBe(true);
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
  expect(host.at).toBeLessThan(25_100);
  host.at = 60_000;
  const [next] = await uploads(admission, "a", 1, 4 * MB);
  expect(await next?.work(4 * MB)).toBe(true);
  expect(host.at).toBe(60_000);
});

it("one that waited, and is heard of no more, keeps nobody waiting for longer than three seconds", async () => {
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
  expect(host.at).toBeLessThanOrEqual(3_100);
});
