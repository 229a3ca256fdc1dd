import { freePort, portIfFree } from "./free-port.ts";

export type PortChoice =
  | { readonly kind: "port"; readonly port: number; readonly notice: string | null }
  | { readonly kind: "taken"; readonly message: string };

/**
 * A port that was asked for is used or refused; a default one that is taken gives way to a free one.
 * @param asked undefined where nobody asked.
 */
export async function choosePort(name: string, asked: number | undefined, fallback: number): Promise<PortChoice> {
  const wanted = asked ?? fallback;
  const port = await portIfFree(wanted);
  if (port !== null) return { kind: "port", port, notice: null };
  if (asked !== undefined)
    return { kind: "taken", message: `port ${wanted} for the ${name} is taken; choose another with --port-${name}` };
  const free = await freePort();
  return { kind: "port", port: free, notice: `port ${wanted} is taken, so the ${name} uses ${free}` };
}
