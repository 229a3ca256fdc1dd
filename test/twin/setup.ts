/** A twin for one test, with calls that speak like its clients. */
import { gzipSync } from "node:zlib";
import { onTestFinished } from "vitest";
import { createTwin, type TwinOptions } from "../../tools/twin/twin.ts";

export interface SentCall {
  readonly headers?: Record<string, string>;
  readonly gzip?: boolean;
}

export async function setupTwin(options: TwinOptions = {}) {
  const twin = await createTwin(options);
  onTestFinished(() => twin.close());
  const { url } = twin;

  const post = (path: string, body: string | Uint8Array, { headers = {}, gzip = false }: SentCall = {}) =>
    fetch(url + path, {
      method: "POST",
      body: gzip ? gzipSync(body) : Buffer.from(body),
      headers: { "content-type": "application/json", ...(gzip ? { "content-encoding": "gzip" } : {}), ...headers },
    });
  const askToken = (form: Record<string, string>) =>
    fetch(`${url}/oauth/token`, { method: "POST", body: new URLSearchParams(form) });
  const authorize = async (): Promise<string> => {
    const client = { client_id: "twin-client", client_secret: "twin-secret", grant_type: "client_credentials" };
    const answer = (await (await askToken(client)).json()) as { access_token: string };
    return `Bearer ${answer.access_token}`;
  };

  let authorization: string | null = null;
  /** Posts usage events of the meter `api` with a valid token. */
  const usage = async (body: string | Uint8Array, sent: SentCall = {}) => {
    authorization ??= await authorize();
    return post("/meters/streaming/ingestion/api", body, { ...sent, headers: { authorization, ...sent.headers } });
  };
  /** Posts one of Solvimon's calls with a valid key; `name` is the path after /v1/. */
  const solvimon = (name: string, body: string, sent: SentCall = {}) =>
    post(`/v1/${name}`, body, { ...sent, headers: { "x-api-key": "twin-key", ...sent.headers } });

  const faults = (script: unknown) => post("/twin/faults", JSON.stringify(script));
  /** What of the script is still to come. */
  const pendingFaults = async () =>
    ((await (await fetch(`${url}/twin/faults`)).json()) as { items: Record<string, unknown>[] }).items;
  const clearFaults = () => fetch(`${url}/twin/faults`, { method: "DELETE" });
  const counts = async () => (await (await fetch(`${url}/twin/counts`)).json()) as Record<string, unknown>;
  const lines = async (query = "") => {
    const text = await (await fetch(`${url}/twin/events${query}`)).text();
    return text.split("\n").slice(0, -1);
  };
  const requests = async () => {
    const listed = (await (await fetch(`${url}/twin/requests`)).json()) as { items: Record<string, unknown>[] };
    return listed.items;
  };
  return {
    url,
    post,
    askToken,
    authorize,
    usage,
    solvimon,
    faults,
    pendingFaults,
    clearFaults,
    counts,
    lines,
    requests,
  };
}
