// Links to the status page, and its pages.
import { createLinkSigner } from "../../functions/auth/link_token.ts";
import { type Endpoint, IDS, objectOf, setUp } from "./endpoint.ts";
import type { FakeTask } from "./fake_platform.ts";

export const LINK_SECRET = `whsec_${btoa("canary-link-secret-of-32-bytes..")}`;
export const OTHER_SECRET = `whsec_${btoa("another-link-secret-of-32-bytes.")}`;
export const WITH_LINKS = { RESOLVE_LINK_SECRETS: LINK_SECRET };
export const HTML = { headers: { accept: "text/html,application/xhtml+xml,*/*;q=0.8" } };
export const JSON_ALONE = { headers: { accept: "application/json" } };
export const DAY = 86_400_000;

/** The content security policy of the page; the groups are the hashes of its style and its script. */
export const POLICY = new RegExp(
  "^default-src 'none'; style-src ('sha256-[A-Za-z0-9+/]{43}='); " +
    "script-src ('sha256-[A-Za-z0-9+/]{43}='); connect-src 'self'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'$",
);

/** Returns the path of a task's page from the endpoint's response. */
export async function linkOf({ bearer }: Endpoint, id = "t-1"): Promise<string> {
  const { links } = await objectOf(await bearer({ ...IDS, task_id: id, raise_on_error: false }));
  return String((links as { status: string }).status);
}

/** Returns the path of a page, with a token that the test makes. */
export async function linkWith(secret: string, at = Date.now(), ids = IDS): Promise<string> {
  const { organization_id, workspace_id, task_id } = ids;
  const named = { organizationId: organization_id, workspaceId: workspace_id, taskId: task_id };
  return `/status/${await createLinkSigner({ secrets: [secret], ttl: DAY, now: () => at })
    .createToken(named)}`;
}

/** Returns the text of a page, without style, script and markup. */
export function readable(page: string): string {
  const body = page.replace(/<(style|script)>[^]*?<\/\1>/g, "").replace(/<[^>]*>/g, " ");
  const named = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };
  return body.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: keyof typeof named) => named[name])
    .replace(/\s+/g, " ").trim();
}

/** Returns the page of a task, and its text. */
export async function pageOf(
  task: FakeTask,
): Promise<{ response: Response; page: string; text: string }> {
  const endpoint = setUp(WITH_LINKS);
  endpoint.platform.add({ ...task, id: "t-1" });
  const response = await endpoint.send(await linkWith(LINK_SECRET), HTML);
  const page = await response.text();
  return { response, page, text: readable(page) };
}
