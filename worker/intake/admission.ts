/**
 * Keeps an instance within its memory: a Worker has 128 MB, and a body takes many times its size while it is parsed and
 * filed. Room is taken for the bytes of a body before they are read, so that what has none waits in its connection, and
 * again for the work on a whole body.
 *
 * Nobody waits for another request's promise, which the runtime may cancel, or leave unsettled where it ended that one:
 * who finds no room looks again by a timer of its own, and goes away with a refusal after a while. Room is leased: what
 * nobody gives back ends by itself.
 *
 * No body takes what one before it needs to become whole, as long as that one comes: else many that come together would
 * fill the room in equal parts, and none would be whole. A tenant's first body goes before all others' second ones.
 */

/** Bytes of bodies that are held while they come and wait. */
const HELD_BYTES_MAX = 24_000_000;
/** Of them, left to the first bodies of tenants: enough for the largest. */
const LEFT_TO_FIRSTS_BYTES = 4_000_000;
/** What bodies weigh that are worked on at once: large ones, and small ones beside them. */
const LARGE_WORK_MAX = 4_500_000;
const SMALL_WORK_MAX = 2_000_000;
const SMALL_WEIGHT = 700_000;

/** A body of which nothing came for so long is given up, as is one that was worked on for so long. */
const IDLE_MS = 60_000;
const WORK_MS = 60_000;
/** One that waits for its turn and no longer looks is gone, and so is one that comes and of which nobody asks any more. */
const LOOKING_MS = 3_000;
const ASKING_MS = 5_000;
/** Nothing is kept free for a body of which nothing came for so long. */
const COMING_MS = 1_000;
/** How often who finds no room looks again, at first and after a second; how long in all, for bytes and for its turn. */
const LOOK_AGAIN_MS = 20;
const LOOK_LATER_MS = 50;
const OFTEN_MS = 1_000;
const WAIT_MS = 25_000;

/** While others want its room a body has this long, and then must have come at this rate, or it is given up. */
const SLOW_AFTER_MS = 1_000;
const SLOW_BYTES_PER_S = 64_000;

export interface AdmissionHost {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** By a timer of whoever asks. */
  readonly pause: (ms: number) => Promise<void>;
}

/** The room of one body, from its first byte to its answer. */
export interface Room {
  /** False once it was given to others, or ended: the body must be let go. To be asked every second while bytes come. */
  isHeld(): boolean;
  /**
   * Waits until there is room for so many bytes more; false where that takes too long.
   * @param total what the body has in the end, at most.
   */
  hold(bytes: number, total?: number): Promise<boolean>;
  /** Waits until the whole body, which weighs so much (see body-weight.ts), may be worked on; false where that takes too long. */
  work(weight: number): Promise<boolean>;
  /** Gives all back; to be called in the end, and harmless twice. */
  leave(): void;
}

interface Lease {
  readonly tenant: string;
  readonly begunAt: number;
  /** For room and its turn, which is no slowness of its own. */
  waitedMs: number;
  /** When it last got room. */
  cameAt: number;
  held: number;
  total: number;
  working: number;
  isFirst: boolean;
  /** In the order of coming, of first bodies and of the others. */
  turn: number;
  isWaiting: boolean;
  /** In the order of coming, of those that wait for their turn to be worked on; null for the others. */
  ticket: number | null;
  isSmall: boolean;
  isWhole: boolean;
  until: number;
}

export class Admission {
  private readonly leases = new Set<Lease>();
  private readonly host: AdmissionHost;
  private tickets = 0;

  constructor(host: AdmissionHost) {
    this.host = host;
  }

  /**
   * Opens the room of a body, which is empty.
   * @param tenant whose it is; of several bodies of one tenant some room is left to others.
   */
  open(tenant: string): Room {
    const now = this.host.now();
    const lease: Lease = {
      ...{
        tenant,
        begunAt: now,
        waitedMs: 0,
        cameAt: now,
        held: 0,
        total: 0,
        working: 0,
        isFirst: false,
        turn: ++this.tickets,
      },
      ...{ isWaiting: false, ticket: null, isSmall: false, isWhole: false, until: now + ASKING_MS },
    };
    this.leases.add(lease);
    return {
      isHeld: () => this.isComingStill(lease),
      hold: (bytes, total = 0) => this.waitToHold(lease, bytes, total),
      work: (weight) => this.waitToWork(lease, weight),
      leave: () => void this.leases.delete(lease),
    };
  }

  private isComingStill(lease: Lease): boolean {
    const now = this.host.now();
    if (!this.isLive(lease) || now - lease.cameAt >= IDLE_MS) return false;
    lease.until = now + ASKING_MS;
    return true;
  }

  private async waitToHold(lease: Lease, bytes: number, total: number): Promise<boolean> {
    lease.total = Math.max(total, lease.held + bytes);
    lease.isWaiting = true;
    const isIn = await this.until(lease, () => this.tryHold(lease, bytes));
    lease.isWaiting = false;
    return isIn;
  }

  private async waitToWork(lease: Lease, weight: number): Promise<boolean> {
    lease.isWhole = true;
    lease.isSmall = weight <= SMALL_WEIGHT;
    lease.ticket = ++this.tickets;
    const isIn = await this.until(lease, () => this.tryWork(lease, weight));
    lease.ticket = null;
    return isIn;
  }

  private async until(lease: Lease, attempt: () => boolean): Promise<boolean> {
    let lookedAt = this.host.now();
    while (this.isLive(lease)) {
      if (attempt()) return true;
      if (lease.waitedMs >= WAIT_MS) return false;
      await this.host.pause(lease.waitedMs < OFTEN_MS ? LOOK_AGAIN_MS : LOOK_LATER_MS);
      const now = this.host.now();
      lease.waitedMs += now - lookedAt;
      lookedAt = now;
    }
    return false;
  }

  private isLive(lease: Lease): boolean {
    return this.leases.has(lease) && this.host.now() < lease.until;
  }

  private tryHold(lease: Lease, bytes: number): boolean {
    const now = this.host.now();
    lease.until = now + LOOKING_MS;
    this.prune(now);
    this.letBeFirst(lease);
    let held = 0;
    let keptFree = lease.isFirst ? 0 : LEFT_TO_FIRSTS_BYTES;
    for (const one of this.leases) {
      if (one === lease) continue;
      held += one.held;
      if (isBefore(one, lease) && isComing(one, now)) keptFree += one.total - one.held;
    }
    // What is larger than all the room enters alone.
    if (held > 0 && held + lease.held + bytes + keptFree > HELD_BYTES_MAX) {
      this.giveUpSlowest(now);
      return false;
    }
    lease.held += bytes;
    lease.cameAt = now;
    lease.until = now + ASKING_MS;
    return true;
  }

  /** Behind the first ones of other tenants that are there already. */
  private letBeFirst(lease: Lease): void {
    if (lease.isFirst) return;
    for (const one of this.leases) if (one.tenant === lease.tenant && one.isFirst) return;
    lease.isFirst = true;
    lease.turn = ++this.tickets;
  }

  private tryWork(lease: Lease, weight: number): boolean {
    const now = this.host.now();
    lease.until = now + LOOKING_MS;
    this.prune(now);
    const busy = new Set<string>();
    for (const one of this.leases) if (one.working > 0) busy.add(one.tenant);
    const rank = (one: Lease) => (busy.has(one.tenant) ? this.tickets : 0) + (one.ticket ?? 0);
    const own = rank(lease);
    let working = 0;
    for (const one of this.leases) {
      if (one.isSmall !== lease.isSmall) continue;
      working += one.working;
      if (one.ticket !== null && rank(one) < own) return false;
    }
    const max = lease.isSmall ? SMALL_WORK_MAX : LARGE_WORK_MAX;
    if (working > 0 && working + weight > max) return false;
    lease.working = weight;
    lease.until = now + WORK_MS;
    return true;
  }

  /** The slowest of those that come too slowly, if there is one; whoever reads it will find it gone. */
  private giveUpSlowest(now: number): void {
    const age = (one: Lease) => now - one.begunAt - one.waitedMs;
    const rate = (one: Lease) => (one.held * 1000) / age(one);
    const slow = [...this.leases].filter(
      (one) =>
        !one.isWhole && !one.isWaiting && one.held > 0 && age(one) >= SLOW_AFTER_MS && rate(one) < SLOW_BYTES_PER_S,
    );
    const [slowest] = slow.sort((a, b) => rate(a) - rate(b));
    if (slowest !== undefined) this.leases.delete(slowest);
  }

  private prune(now: number): void {
    for (const one of this.leases) if (one.until <= now) this.leases.delete(one);
  }
}

function isBefore(one: Lease, other: Lease): boolean {
  return one.isFirst === other.isFirst ? one.turn < other.turn : one.isFirst;
}

/** Whether what it lacks is on its way. */
function isComing(lease: Lease, now: number): boolean {
  return !lease.isWhole && (lease.isWaiting || now - lease.cameAt < COMING_MS);
}
