/** The OpenAPI 3.1 document, made of what each route says of itself. Depends on nothing but the code. */
import { takeComponents } from "./component.ts";
import type { JsonSchema, Members } from "./json-schema.ts";
import { TAGS } from "./operation.ts";

const VERSION = "0.1.0";

/** What the document needs of a route. */
export interface DescribedRoute {
  readonly method: string;
  /** As Hono writes it. */
  readonly path: string;
  readonly operation: JsonSchema;
}

export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: JsonSchema;
  readonly servers: readonly JsonSchema[];
  readonly tags: readonly JsonSchema[];
  readonly paths: Readonly<Record<string, Members>>;
  readonly components: Readonly<Record<string, Members>>;
}

/** Describes the routes, in their order. */
export function createDocument(routes: readonly DescribedRoute[]): OpenApiDocument {
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const { method, path, operation } of routes) {
    const named = documentPath(path);
    paths[named] = { ...paths[named], [method]: operation };
  }
  const { document, components } = takeComponents(paths);
  return {
    openapi: "3.1.0",
    info: {
      title: "Weir",
      version: VERSION,
      description:
        "Takes usage and billing events, loses none, counts none twice, delivers them to Zuora and Solvimon. " +
        "Limits named here are the defaults; settings may change them.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/", description: "Where this document came from." }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths: document as typeof paths,
    components: { securitySchemes: SECURITY_SCHEMES, ...components },
  };
}

/** `/:version{v[^/]*}/events/:id` is `/v{version}/events/{id}`. */
function documentPath(path: string): string {
  return path.replace(/:version\{v[^}]*\}/, "v{version}").replace(/:(\w+)/g, "{$1}");
}

const SECURITY_SCHEMES: Members = {
  apiKey: { type: "apiKey", in: "header", name: "X-API-KEY", description: "An API key." },
  bearer: { type: "http", scheme: "bearer", description: "An API key, or a token of /oauth/token." },
};
