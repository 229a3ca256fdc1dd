/** API keys, straight in the ledger's table: how the first one comes to be, when nobody has a key to ask the edge with. */
import { z } from "zod";
import { randomText } from "../../shared/random-text.ts";
import { hashApiKey } from "../../worker/accounts/key-hash.ts";
import { newKeySchema } from "../../worker/accounts/key-requests.ts";
import { createKeyText } from "../../worker/accounts/key-text.ts";
import type { Ledger } from "./ledger.ts";
import { checkedBy } from "./request.ts";
import { sql } from "./sql.ts";
import { createTenant } from "./tenants.ts";

const ID_RANDOM_CHARACTERS = 20;
/** Keys of one listing. */
export const KEYS_SHOWN_MAX = 1_000;
const KEY_ID = /^key_[0-9A-Za-z_]{1,64}$/;

export interface MadeKey {
  readonly id: string;
  /** The key itself: shown once, kept nowhere. */
  readonly key: string;
  readonly tenant: string;
  readonly isNewTenant: boolean;
}

export interface WantedKey {
  readonly tenant: string;
  readonly name: string;
  readonly permissions: readonly string[];
}

/** By the edge's own schema. @throws UsageError naming what is wrong. */
export function checkedKey(wanted: WantedKey): WantedKey {
  const { tenant = wanted.tenant, name, permissions } = checkedBy(newKeySchema, wanted);
  return { tenant, name, permissions: [...new Set(permissions)] };
}

/** Makes a key on this machine and files its hash; the key's text never leaves it. Makes the tenant where it is new. */
export async function createKey(ledger: Ledger, wanted: WantedKey, nowMs: number): Promise<MadeKey> {
  const { tenant, name, permissions } = checkedKey(wanted);
  const isNewTenant = await createTenant(ledger, { id: tenant });
  const id = `key_${randomText(ID_RANDOM_CHARACTERS)}`;
  const key = createKeyText();
  const [row] = await ledger.run(sql`INSERT INTO api_keys (id, hash, tenant, name, permissions, lineage, created_at)
    VALUES (${id}, ${hashApiKey(key)}, ${tenant}, ${name}, ${JSON.stringify(permissions)}, ${id}, ${nowMs})
    RETURNING id`);
  if (row?.["id"] !== id) throw new Error("the database did not confirm the key: list-keys shows whether it is there");
  return { id, key, tenant, isNewTenant };
}

const keySchema = z.object({
  id: z.string(),
  tenant: z.string(),
  name: z.string(),
  permissions: z.string().transform((text) => z.array(z.string()).parse(JSON.parse(text))),
  created_at: z.number(),
  expires_at: z.number().nullable(),
  revoked_at: z.number().nullable(),
});
export type ListedKey = z.infer<typeof keySchema>;

/** @param tenant null: of all of them. */
export async function listKeys(ledger: Ledger, tenant: string | null): Promise<ListedKey[]> {
  const rows = await ledger.run(sql`SELECT id, tenant, name, permissions, created_at, expires_at, revoked_at
    FROM api_keys WHERE ${tenant} IS NULL OR tenant = ${tenant} ORDER BY tenant, created_at, id LIMIT ${KEYS_SHOWN_MAX}`);
  return z.array(keySchema).parse(rows);
}

/** A second revocation changes nothing. @returns false where there is no such key. */
export async function revokeKey(ledger: Ledger, id: string, nowMs: number): Promise<boolean> {
  if (!KEY_ID.test(id)) throw new Error("a key's id begins with key_; list-keys shows them");
  const rows = await ledger.run(
    sql`UPDATE api_keys SET revoked_at = coalesce(revoked_at, ${nowMs}) WHERE id = ${id} RETURNING id`,
  );
  return rows.length === 1;
}
