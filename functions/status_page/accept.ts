// Not hono/accepts: +881 B of a Worker, for a choice between two types.
/** Content negotiation of the status page. */

/** Parses an entry of `Accept`: a type, and its quality from 0 to 1. */
function parseEntry(entry: string): { type: string; quality: number } {
  const [type = "", ...parameters] = entry.split(";").map((part) => part.trim().toLowerCase());
  const quality = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2);
  return { type, quality: Number(quality ?? 1) };
}

/**
 * Returns `true` if `Accept` names JSON, and does not prefer HTML: by its quality, or by its place if
 * the qualities are equal. Wildcards name neither.
 */
export function prefersJson(accept: string): boolean {
  const [preferred] = accept.split(",").map(parseEntry)
    .filter(({ type, quality }) => /^(text\/html|application\/json)$/.test(type) && quality > 0)
    .sort((a, b) => b.quality - a.quality);
  return preferred?.type === "application/json";
}
