/** The agent's version; a test holds it to package.json, which the packed agent does not have at hand. */
export const VERSION = "0.1.0";
