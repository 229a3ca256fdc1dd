/** Tenants and destinations as the ledger's tables hold them. */
import { z } from "zod";
import { TENANT_ID, tenantSchema } from "../../worker/tenants/tenant-requests.ts";
import { UsageError } from "../processes/command-line.ts";
import type { Ledger } from "./ledger.ts";
import { checkedBy } from "./request.ts";
import { sql } from "./sql.ts";

/** Rows of one listing. */
export const ROWS_SHOWN_MAX = 1_000;

export interface WantedTenant {
  readonly id: string;
  readonly name?: string | undefined;
}

/** Makes a tenant that may name anything; one that is there stays as it is. @returns whether it was made. */
export async function createTenant(ledger: Ledger, { id, name }: WantedTenant): Promise<boolean> {
  if (!TENANT_ID.test(id)) throw new UsageError("a tenant has 1 to 128 characters, none of them a control character");
  const { name: shown = null } = checkedBy(tenantSchema, { name });
  const rows = await ledger.run(sql`INSERT INTO tenants (id, name, allowed) VALUES (${id}, ${shown}, ${"{}"})
    ON CONFLICT (id) DO NOTHING RETURNING id`);
  return rows.length === 1;
}

const tenantRowSchema = z.object({
  id: z.string(),
  name: z.string().nullable(),
  zuora: z.string().nullable(),
  solvimon: z.string().nullable(),
  keys: z.number(),
});
export type ListedTenant = z.infer<typeof tenantRowSchema>;

/** Those of which something is said and those that have a key. */
export async function listTenants(ledger: Ledger): Promise<ListedTenant[]> {
  const rows = await ledger.run(sql`SELECT known.id, name, zuora, solvimon,
      (SELECT count(*) FROM api_keys WHERE tenant = known.id AND revoked_at IS NULL) AS keys
    FROM (SELECT tenant AS id FROM api_keys UNION SELECT id FROM tenants) AS known
      LEFT JOIN tenants ON tenants.id = known.id
    ORDER BY known.id LIMIT ${ROWS_SHOWN_MAX}`);
  return z.array(tenantRowSchema).parse(rows);
}

const destinationSchema = z.object({ name: z.string(), dialect: z.string(), base_url: z.string() });
export type ListedDestination = z.infer<typeof destinationSchema>;

/** Without the one that the settings describe, which is no row. */
export async function listDestinations(ledger: Ledger): Promise<ListedDestination[]> {
  const rows = await ledger.run(
    sql`SELECT name, dialect, base_url FROM destinations ORDER BY name LIMIT ${ROWS_SHOWN_MAX}`,
  );
  return z.array(destinationSchema).parse(rows);
}
