/** The dialects as the agent speaks them: with the rules that it knows, offline too. */
import type { SolvimonKind } from "../../shared/events/kind.ts";
import type { ValidationError } from "../../shared/events/validation-error.ts";
import type { Dialect, Reason, StreamRules } from "../../shared/intake/dialect.ts";
import type { SolvimonReason } from "../../shared/intake/solvimon-answer.ts";
import { solvimonCheck } from "../../shared/intake/solvimon-body.ts";
import { type SolvimonForm, solvimonDialect } from "../../shared/intake/solvimon-dialect.ts";
import { usageDialect } from "../../shared/intake/usage-dialect.ts";
import type { Schemas } from "./schemas.ts";

export interface AgentDialect<R extends Reason> extends Dialect<R> {
  /** Null for a stream that there is not, as far as is known here. */
  rules(): StreamRules<R> | null;
  /** Looks whether the edge has newer rules, before anything is refused or held back for what they say. */
  freshen(): Promise<void>;
  /** Events of one body, where fewer are taken than the limits allow. */
  eventsMax(): number;
}

export function agentUsageDialect(
  meterGlobalId: string,
  schemas: Schemas,
  freshen: () => Promise<void>,
): AgentDialect<ValidationError> {
  return { ...usageDialect(meterGlobalId), rules: () => schemas.meter(meterGlobalId), freshen, eventsMax: unbounded };
}

/** @param eventsMax what one call upstream may carry. */
export function agentSolvimonDialect(
  kind: SolvimonKind,
  form: SolvimonForm,
  eventsMax: () => number = unbounded,
): AgentDialect<SolvimonReason> {
  const rules = { check: solvimonCheck(kind), ownIdField: "reference" };
  // The vendor's rules are the same everywhere; nobody has newer ones.
  return { ...solvimonDialect(kind, form), rules: () => rules, freshen: async () => {}, eventsMax };
}

function unbounded(): number {
  return Number.POSITIVE_INFINITY;
}
