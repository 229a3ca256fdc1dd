/** How calls share an isolate: slots, bytes, and what is known of lanes. */
import { expect, it } from "vitest";
import { CALLS_MAX, type Slot, Slots } from "../../worker/delivery/slots.ts";

const CALL_BYTES = 4_000_000;
const HANG_MS = 30_000;
const SMALL = 1_000;

function setup() {
  const slots = new Slots();
  let now = 0;
  /** Of a lane of a tenant; small unless said otherwise. */
  const take = (tenant: string, { stream = "s", isTroubled = false, bytes = SMALL } = {}): Slot | null => {
    const slot = slots.take({ tenant, stream, context: "" }, isTroubled, now, now + 100_000);
    slot?.shrink(bytes);
    return slot;
  };
  return {
    take,
    /** Its lane's last call went through. */
    prove: (tenant: string, stream = "s") => take(tenant, { stream })?.release(true, now),
    hang: (slot: Slot | null) => {
      now += HANG_MS;
      slot?.release(false, now);
    },
    pass: (ms: number) => {
      now += ms;
    },
  };
}

it("a lane that goes well has several calls, and its tenant leaves one slot to the others", () => {
  const { take, prove } = setup();
  prove("a");
  const own = [take("a"), take("a"), take("a")];
  expect(own).not.toContain(null);
  expect(take("a")).toBeNull();
  const other = take("b");
  expect(other?.room).toBe(CALL_BYTES);
  expect(take("c")).toBeNull();
  other?.release(true, 0);
  expect(take("a")).toBeNull();
  own[0]?.release(true, 0);
  expect(take("a")).not.toBeNull();
});

it("a lane in trouble has one call, all of a tenant's together one, all tenants' together two", () => {
  const { take } = setup();
  expect(take("a", { isTroubled: true })).not.toBeNull();
  expect(take("a", { isTroubled: true, stream: "other" })).toBeNull();
  expect(take("b", { isTroubled: true })).not.toBeNull();
  expect(take("c", { isTroubled: true })).toBeNull();
  expect(take("c")).not.toBeNull();
});

it("lanes of which nothing is known leave a slot to those that go well, whoever's they are", () => {
  const { take, prove } = setup();
  prove("good");
  for (let n = 0; n < 10; n++) take(`new-${n}`, { stream: `s${n}` });
  expect(take("another")).toBeNull();
  expect(take("good")).not.toBeNull();
});

it("ten thousand streams that hang take one slot, once their tenant's first calls have", () => {
  const { take, prove, hang } = setup();
  prove("good");
  const first = [take("many", { stream: "1" }), take("many", { stream: "2" })];
  expect(first).not.toContain(null);
  expect(take("many", { stream: "3" })).toBeNull();
  for (const slot of first) hang(slot);
  for (let n = 0; n < 10_000; n++) {
    const taken = [0, 1, 2, 3].map((k) => take("many", { stream: `${n}-${k}` })).filter((slot) => slot !== null);
    expect(taken).toHaveLength(1);
    if (n % 1000 === 0) expect(take("good")).not.toBeNull();
    for (const slot of taken) hang(slot);
  }
});

it("calls together hold no more bytes than the isolate has for them, and a tenant leaves room for a whole one", () => {
  const { take, prove } = setup();
  prove("a");
  expect(take("a", { bytes: CALL_BYTES })).not.toBeNull();
  expect(take("a")).toBeNull();
  expect(take("b", { bytes: CALL_BYTES })?.room).toBe(CALL_BYTES);
  expect(take("c")).toBeNull();
});

it("a slot that nobody gave back is free again in the end", () => {
  const { take, pass } = setup();
  for (let n = 0; n < CALLS_MAX; n++) take(`t${n}`, { isTroubled: n < 2 });
  expect(take("late")).toBeNull();
  pass(100_000);
  expect(take("late")).not.toBeNull();
});
