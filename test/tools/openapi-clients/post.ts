/** Posts an event of a meter with fields of its own through each generated client, without a cast. */

import { client as heyClient } from "generated/hey-api/client.gen";
import { ingestUsage as ingestByHeyApi } from "generated/hey-api/sdk.gen";
import type { paths } from "generated/openapi-typescript";
import { ingestUsage as ingestByOrval } from "generated/orval";
import createFetchClient from "openapi-fetch";

const meterGlobalId = "coffee";

/** @returns how many events the edge accepted of each client. */
export async function post(baseUrl: string, key: string): Promise<(number | undefined)[]> {
  const headers = { "x-api-key": key };

  const byFetch = createFetchClient<paths>({ baseUrl, headers });
  const openapiTypescript = await byFetch.POST("/meters/streaming/ingestion/{meterGlobalId}", {
    params: { path: { meterGlobalId } },
    body: { id: "by openapi-typescript", n: 1 },
  });

  heyClient.setConfig({ baseUrl, headers });
  const heyApi = await ingestByHeyApi({ path: { meterGlobalId }, body: [{ id: "by hey-api", n: 2 }] });

  // orval leaves the media type to its caller where an operation accepts several; its address is in its code.
  const typed = { headers: { ...headers, "content-type": "application/json" } };
  const orval = await ingestByOrval(meterGlobalId, { id: "by orval", n: 3 }, typed);

  return [
    openapiTypescript.data?.accepted,
    heyApi.data?.accepted,
    orval.status === 200 ? orval.data.accepted : undefined,
  ];
}

/** An event with the default fields is typed too, and so are several of any meter. */
export const alsoTyped: readonly Parameters<typeof ingestByOrval>[1][] = [
  { CustomerId: "cus_1", UsageIdentifier: "egress_bytes", UsageDate: "2026-11-01T10:05:03Z", Quantity: 1.5 },
  [
    { id: "a", n: 4 },
    { id: "b", n: 5, note: null },
  ],
];
