// How the gate looks for known vulnerabilities in what deno.lock pins.

/** Fails on a finding. A registry that does not answer is none: the gate must pass without a network. */
export const AUDIT = ["audit", "--ignore-registry-errors"];

/** What `deno audit` says when there was no answer. */
export const UNREACHED = /^Failed to get data from the registry/m;
