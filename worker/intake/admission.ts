/**
 * Keeps an instance within its memory: a Worker has 128 MB, and a body takes many times its size while it is parsed and
 * filed. Room is taken for bytes as they come, not as they are announced, and again for the work on a whole body.
 *
 * Nobody waits for another request's promise, which the runtime may cancel, or leave unsettled where it ended that one:
 * who finds no room looks again by a timer of its own, and goes away with a refusal after a while. Room is leased: what
 * nobody gives back ends by itself.
 */

/** Bytes of bodies that are held while they come and wait. */
const HELD_BYTES_MAX = 48_000_000;
/** Of them, left to others by a tenant that has more than one body here. */
const LEFT_TO_OTHERS_BYTES = 4_000_000;
/** Bytes of bodies being worked on at once. */
const WORKING_BYTES_MAX = 6_000_000;

/** A body of which nothing came for so long is given up, as is one that was worked on for so long. */
const IDLE_MS = 60_000;
const WORK_MS = 60_000;
/** One that waits for its turn, and no longer looks, is gone. */
const LOOKING_MS = 1_000;
/** How often who finds no room looks again; how often for bytes that came, 2 s, and for the turn of a whole body, 5 s. */
const LOOK_AGAIN_MS = 20;
const LOOKS_TO_HOLD = 100;
const LOOKS_TO_WORK = 250;

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
  /** False once it was given to others, or ended: the body must be let go. */
  isHeld(): boolean;
  /** Takes room for bytes that came; false where there is none. */
  hold(bytes: number): Promise<boolean>;
  /** Waits until the whole body, of so many bytes when inflated, may be worked on; false where that takes too long. */
  work(bytes: number): Promise<boolean>;
  /** Gives all back; to be called in the end, and harmless twice. */
  leave(): void;
}

interface Lease {
  readonly tenant: string;
  readonly begunAt: number;
  held: number;
  working: number;
  /** In the order of coming, of those that wait for their turn to be worked on; null for the others. */
  ticket: number | null;
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
      ...{ tenant, begunAt: now, held: 0, working: 0, ticket: null },
      ...{ isWhole: false, until: now + IDLE_MS },
    };
    this.leases.add(lease);
    return {
      isHeld: () => this.isLive(lease),
      hold: (bytes) => this.until(LOOKS_TO_HOLD, lease, () => this.tryHold(lease, bytes)),
      work: async (bytes) => {
        lease.isWhole = true;
        lease.ticket = ++this.tickets;
        const isIn = await this.until(LOOKS_TO_WORK, lease, () => this.tryWork(lease, bytes));
        lease.ticket = null;
        return isIn;
      },
      leave: () => void this.leases.delete(lease),
    };
  }

  private async until(looks: number, lease: Lease, attempt: () => boolean): Promise<boolean> {
    for (let look = 0; look < looks; look++) {
      if (!this.isLive(lease)) return false;
      if (attempt()) return true;
      await this.host.pause(LOOK_AGAIN_MS);
    }
    return false;
  }

  private isLive(lease: Lease): boolean {
    return this.leases.has(lease) && this.host.now() < lease.until;
  }

  private tryHold(lease: Lease, bytes: number): boolean {
    const now = this.host.now();
    this.prune(now);
    const others = [...this.leases].filter((one) => one !== lease);
    const left = others.some((one) => one.tenant === lease.tenant && one.held > 0) ? LEFT_TO_OTHERS_BYTES : 0;
    const held = sum(others, "held");
    // What is larger than all the room enters alone.
    if (held > 0 && held + lease.held + bytes + left > HELD_BYTES_MAX) {
      this.giveUpSlowest(now);
      return false;
    }
    lease.held += bytes;
    lease.until = now + IDLE_MS;
    return true;
  }

  private tryWork(lease: Lease, bytes: number): boolean {
    const now = this.host.now();
    lease.until = now + LOOKING_MS;
    this.prune(now);
    const waiting = [...this.leases].filter(({ ticket }) => ticket !== null);
    const rank = (one: Lease) => (this.isWorkedOnFor(one.tenant) ? this.tickets : 0) + (one.ticket ?? 0);
    if (waiting.some((one) => rank(one) < rank(lease))) return false;
    const working = sum(this.leases, "working");
    if (working > 0 && working + bytes > WORKING_BYTES_MAX) return false;
    lease.working = bytes;
    lease.until = now + WORK_MS;
    return true;
  }

  private isWorkedOnFor(tenant: string): boolean {
    for (const one of this.leases) if (one.tenant === tenant && one.working > 0) return true;
    return false;
  }

  /** The slowest of those that come too slowly, if there is one; whoever reads it will find it gone. */
  private giveUpSlowest(now: number): void {
    const rate = (one: Lease) => (one.held * 1000) / (now - one.begunAt);
    const slow = [...this.leases].filter(
      (one) => !one.isWhole && one.held > 0 && now - one.begunAt >= SLOW_AFTER_MS && rate(one) < SLOW_BYTES_PER_S,
    );
    const [slowest] = slow.sort((a, b) => rate(a) - rate(b));
    if (slowest !== undefined) this.leases.delete(slowest);
  }

  private prune(now: number): void {
    for (const one of this.leases) if (one.until <= now) this.leases.delete(one);
  }
}

function sum(leases: Iterable<Lease>, of: "held" | "working"): number {
  let total = 0;
  for (const one of leases) total += one[of];
  return total;
}
