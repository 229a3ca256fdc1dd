/** The OpenAPI 3.1 document of every route, made from the schemas that check requests. */
import { adminPaths } from "./admin-paths.ts";
import { adminSchemas } from "./admin-schemas.ts";
import { ANSWER_HEADERS, REFUSAL_STATUSES, refusal } from "./answers.ts";
import { calculatePaths } from "./calculate-paths.ts";
import { eventPaths } from "./event-paths.ts";
import type { JsonSchema, Members } from "./json-schema.ts";
import { keyPaths } from "./key-paths.ts";
import { type Paths, TAGS } from "./operation.ts";
import { PARAMETERS } from "./parameters.ts";
import { servicePaths } from "./service-paths.ts";
import { solvimonPaths } from "./solvimon-paths.ts";
import { solvimonSchemas } from "./solvimon-schemas.ts";
import { statsPaths } from "./stats-paths.ts";
import { usagePaths } from "./usage-paths.ts";
import { usageSchemas } from "./usage-schemas.ts";

const VERSION = "0.1.0";

export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: JsonSchema;
  readonly servers: readonly JsonSchema[];
  readonly tags: readonly JsonSchema[];
  readonly paths: Paths;
  readonly components: Readonly<Record<string, Members>>;
}

/** The paths of every door; a new door's are added here. */
function allPaths(): Paths {
  return {
    ...usagePaths(),
    ...solvimonPaths(),
    ...calculatePaths(),
    ...eventPaths(),
    ...adminPaths(),
    ...keyPaths(),
    ...statsPaths(),
    ...servicePaths(),
  };
}

/** Makes the whole document; it depends on nothing but the code. */
export function createDocument(): OpenApiDocument {
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
    paths: allPaths(),
    components: {
      securitySchemes: securitySchemes(),
      parameters: PARAMETERS,
      headers: ANSWER_HEADERS,
      responses: responses(),
      schemas: { ...usageSchemas(), ...solvimonSchemas(), ...adminSchemas() },
    },
  };
}

function securitySchemes(): Members {
  return {
    apiKey: { type: "apiKey", in: "header", name: "X-API-KEY", description: "An API key." },
    bearer: { type: "http", scheme: "bearer", description: "An API key, or a token of /oauth/token." },
  };
}

function responses(): Members {
  const of = (dialect: "Weir" | "Solvimon") =>
    REFUSAL_STATUSES.map((status) => [`${dialect}${status}`, refusal(dialect, status)]);
  return Object.fromEntries([...of("Weir"), ...of("Solvimon")]);
}
