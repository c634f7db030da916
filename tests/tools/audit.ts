/** Arguments of `deno` that look for known vulnerabilities, and pass when the registry does not respond. */
export const AUDIT = ["audit", "--ignore-registry-errors"];

/** Matches the output of `deno audit` when the registry did not respond. */
export const UNREACHED = /^Failed to get data from the registry/m;
