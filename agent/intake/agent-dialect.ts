/** The dialects as the agent speaks them: with the rules that it knows, offline too. */
import type { SolvimonKind } from "../../shared/events/kind.ts";
import type { ValidationError } from "../../shared/events/validation-error.ts";
import type { Dialect, Reason } from "../../shared/intake/dialect.ts";
import type { SolvimonReason } from "../../shared/intake/solvimon-answer.ts";
import { solvimonCheck } from "../../shared/intake/solvimon-body.ts";
import { type SolvimonForm, solvimonDialect } from "../../shared/intake/solvimon-dialect.ts";
import { usageDialect } from "../../shared/intake/usage-dialect.ts";
import type { Schemas } from "./schemas.ts";
import type { AgentRules } from "./stream-rules.ts";

export interface AgentDialect<R extends Reason> extends Dialect<R> {
  /** Null for a stream that there is not, as far as is known here. */
  rules(): AgentRules<R> | null;
  /** Looks whether the edge has newer rules, before anything is refused or held back for what they say. */
  freshen(): Promise<void>;
}

export function agentUsageDialect(
  meterGlobalId: string,
  schemas: Schemas,
  freshen: () => Promise<void>,
): AgentDialect<ValidationError> {
  return { ...usageDialect(meterGlobalId), rules: () => schemas.meter(meterGlobalId), freshen };
}

export function agentSolvimonDialect(
  kind: SolvimonKind,
  form: SolvimonForm,
  schemas: Schemas,
): AgentDialect<SolvimonReason> {
  const rules = {
    check: solvimonCheck(kind),
    ownIdField: "reference",
    get deduplicatesByContent() {
      return schemas.deduplicatesByContent(kind);
    },
  };
  // The vendor's rules are the same everywhere; nobody has newer ones.
  return { ...solvimonDialect(kind, form), rules: () => rules, freshen: async () => {} };
}
