/** Prints the OpenAPI document that the Worker serves, without a Worker. */

import { createOpenApiDocument } from "../../worker/routes.ts";
import { onClosedPipe } from "../processes/closed-pipe.ts";

onClosedPipe();
process.stdout.write(`${JSON.stringify(createOpenApiDocument(), null, 2)}\n`);
