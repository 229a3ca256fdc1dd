/** What reading a request's body comes to. */
export type BodyRead =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "too-large" }
  | { readonly kind: "bad-gzip"; readonly message: string }
  /** With it there would be more in memory than is allowed, over all clients. */
  | { readonly kind: "busy" }
  /** It came too slowly. */
  | { readonly kind: "slow" }
  /** The client left before its body was whole. */
  | { readonly kind: "gone" };
