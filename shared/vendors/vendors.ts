/** The vendors there are. A new one is a file of its own beside these, its line here, and its side of the twin. */
import { solvimon } from "./solvimon.ts";
import type { Vendor } from "./vendor.ts";
import { weir } from "./weir.ts";
import { zuora } from "./zuora.ts";

/** Where an agent may deliver to, by the `dialect` of its configuration. */
export const VENDORS = { edge: weir, zuora, solvimon } as const satisfies Record<string, Vendor>;

export type VendorName = keyof typeof VENDORS;

export const VENDOR_NAMES = Object.keys(VENDORS) as readonly VendorName[];

/** Those an edge delivers to: a stream goes to the first that takes it. */
export const UPSTREAMS = { zuora, solvimon } as const satisfies Record<string, Vendor>;

export type UpstreamName = keyof typeof UPSTREAMS;

export const UPSTREAM_NAMES = Object.keys(UPSTREAMS) as readonly UpstreamName[];
