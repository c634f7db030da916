/** The causes of failures, without the token. */
import type { RedactedCause } from "./redact.ts";

/** Removes the token from a cause. Without its module, which a browser may fail to load, it has none. */
export async function redact(cause: unknown, token: string | undefined): Promise<RedactedCause> {
  const module = await import("./redact.ts").catch(() => undefined);
  return module?.redactCause(cause, token) ?? { reason: "" };
}
