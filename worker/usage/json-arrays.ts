/** Lists of what a statement is asked about, cut to what D1 takes as one value. */

/** UTF-16 units of one array, of three bytes at most each: half of what D1 takes a value, so that one long member more fits. */
const CHARACTERS_MAX = 320_000;

/** JSON arrays of JSON texts, in their order; each within the bound unless one member alone is longer. */
export function jsonArrays(members: readonly string[], charactersMax = CHARACTERS_MAX): string[] {
  const arrays: string[] = [];
  let open: string[] = [];
  let characters = 0;
  for (const member of members) {
    if (open.length > 0 && characters + member.length > charactersMax) {
      arrays.push(`[${open.join(",")}]`);
      [open, characters] = [[], 0];
    }
    open.push(member);
    characters += member.length + 1;
  }
  return open.length === 0 ? arrays : [...arrays, `[${open.join(",")}]`];
}
