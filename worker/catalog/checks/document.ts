/** All that is wrong with a catalog document, of shape and of sense. */
import type { z } from "zod";
import { type ValidationError, validationError } from "../../../shared/events/validation-error.ts";
import { schemaWords } from "../../../shared/schema-words.ts";
import { type Catalog, catalogSchema } from "../schema/document.ts";
import { checkAccounts } from "./accounts.ts";
import { checkMeters } from "./meters.ts";
import { checkPlans } from "./plans.ts";
import { type Complain, type Path, soundPart } from "./sound-part.ts";
import { checkStreams } from "./streams.ts";

export type CatalogOutcome =
  | { readonly kind: "catalog"; readonly catalog: Catalog }
  | { readonly kind: "errors"; readonly errors: ValidationError[] };

/** Checks a whole document; lists every error, of shape and of sense, with its dotted path. */
export function checkCatalog(document: unknown): CatalogOutcome {
  const parsed = catalogSchema.safeParse(document, { error: schemaWords });
  const issues = parsed.error?.issues ?? [];
  const errors = issues.flatMap(shapeErrors);
  const complain: Complain = (path, message) => errors.push(errorAt(path, message));
  // What has no error of shape is checked for sense, so that one round of corrections is enough.
  const sound = parsed.success ? parsed.data : soundPart<Catalog>(document, issues);
  checkMeters(sound, complain);
  checkAccounts(sound, complain);
  checkPlans(sound, complain);
  checkStreams(sound, complain);
  if (parsed.success && errors.length === 0) return { kind: "catalog", catalog: parsed.data };
  return { kind: "errors", errors };
}

function shapeErrors(issue: z.core.$ZodIssue): ValidationError[] {
  if (issue.code !== "unrecognized_keys") return [errorAt(issue.path, issue.message)];
  return issue.keys.map((name) => errorAt([...issue.path, name], "is not a field of the catalog"));
}

function errorAt(path: Path, message: string): ValidationError {
  const field = path.join(".");
  return validationError(field === "" ? message : `${field}: ${message}`, field === "" ? {} : { field });
}
