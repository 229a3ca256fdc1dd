/** The keys of a local edge, made by nothing that is deployed; their tenant is `local`. */
export const LOCAL_KEYS = { ingest: "weir_local_ingest", admin: "weir_local_admin" } as const;
