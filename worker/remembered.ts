/** A bounded memory with an end for each item: what an instance may believe without asking D1 again. */
export class Remembered<T> {
  private readonly items = new Map<string, { readonly value: T; readonly until: number }>();
  private readonly itemsMax: number;

  constructor(itemsMax: number) {
    this.itemsMax = itemsMax;
  }

  get(key: string, nowMs: number): T | undefined {
    const item = this.items.get(key);
    if (item === undefined || nowMs < item.until) return item?.value;
    this.items.delete(key);
    return undefined;
  }

  /** The item even if its time is over: to compare with what is read anew. */
  last(key: string): T | undefined {
    return this.items.get(key)?.value;
  }

  /** Where it is full the item set longest ago makes room. */
  set(key: string, value: T, until: number): void {
    this.items.delete(key);
    if (this.items.size >= this.itemsMax) {
      const oldest = this.items.keys().next();
      if (oldest.done !== true) this.items.delete(oldest.value);
    }
    this.items.set(key, { value, until });
  }

  delete(key: string): void {
    this.items.delete(key);
  }

  clear(): void {
    this.items.clear();
  }
}
