/** Prints the table of docs/scale.md, reckoned anew. */
import { scaleTable } from "./reckon.ts";

console.log(scaleTable().join("\n"));
