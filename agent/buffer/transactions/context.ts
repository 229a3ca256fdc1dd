/** What the operations work on: the tables, within one transaction, and the room there is for more. */
import type { DatabaseSync } from "node:sqlite";
import type { Room } from "../disk/room.ts";
import type { Age } from "../tables/age.ts";
import type { BatchTable } from "../tables/batches.ts";
import type { BodyTable } from "../tables/bodies.ts";
import type { KeyTable } from "../tables/keys.ts";
import type { MetadataEntry } from "../tables/metadata.ts";
import type { QuarantineTable } from "../tables/quarantine.ts";
import type { RetainedTable } from "../tables/retained.ts";
import type { ShipmentTable } from "../tables/shipments.ts";
import type { StreamTable } from "../tables/streams.ts";
import type { TailTable } from "../tables/tails.ts";

export interface Context {
  readonly db: DatabaseSync;
  readonly streams: StreamTable;
  readonly batches: BatchTable;
  readonly retained: RetainedTable;
  readonly quarantine: QuarantineTable;
  readonly keys: KeyTable;
  readonly bodies: BodyTable;
  readonly tails: TailTable;
  readonly shipments: ShipmentTable;
  readonly writeMetadata: (entry: MetadataEntry) => void;
  readonly age: Age;
  readonly room: Room;
  /** False while the disk is full and the reserve given up: what room there is belongs to draining. */
  readonly reserveWhole: boolean;
  /** Gives free pages back to the disk, outside any transaction; says whether there are more. */
  readonly giveBack: () => boolean;
}
