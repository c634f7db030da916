/** The states of the status page, served by the real endpoint in front of the fake platform. */
import { createApp, readConfig } from "../../functions/app.ts";
import { createLinkSigner } from "../../functions/auth/link_token.ts";
import { createFakePlatform, type FakeTask } from "../helpers/fake_platform.ts";

const SECRET = `whsec_${btoa("a secret of the page, 32 bytes..")}`;

/** Texts with markup, long words and characters that reverse the line. */
const HOSTILE = {
  name: `<img src=x onerror="seen=1"> \u202egnp.exe\u0007 ${"W".repeat(150)}`,
  user_name: `"><script>seen=1</script>`,
  subtask: `</main><svg onload=seen=1> <b>bold</b> ${"m".repeat(80)}`,
  description: `<iframe srcdoc="<script>parent.seen=1</script>">`,
  error_code: `<a href="javascript:seen=1">E</a>`,
  error_description: `'"><img src=x onerror=seen=1>\n<style>*{display:none}</style>`,
  result: `"onmouseover="seen=1`,
  result_type: `<b>source</b>`,
} as const;

/** A task for each state. */
export const STATES: Record<string, FakeTask> = {
  pending: { status: "pending" },
  running: { status: "running", progress: 62.4, subtask: "Fitting 12 of 20 trees" },
  indeterminate: { status: "running", progress: null, subtask: "Reading the source" },
  success: { status: "success", result: "churn-2026-03", result_type: "model", duration: 192_000 },
  file: {
    status: "success",
    result: `https://files.example.com/exports/w-1.zip?signature=${"f".repeat(600)}`,
    result_type: "file",
  },
  "unsafe-file": {
    status: "success",
    result: `http://files.example.com/w-1.zip?signature=${"f".repeat(200)}`,
    result_type: "file",
  },
  dashboard: { status: "success", result: "d-1", result_type: "dashboard" },
  nothing: { status: "success" },
  failed: {
    status: "failed",
    duration: 75_000,
    error_code: "QUOTA_EXCEEDED",
    error_description:
      "The workspace has no room left: 50 GB of 50 GB are in use. Delete sources " +
      "that are not needed, or ask the owner of the workspace for more.",
  },
  "failed-silent": { status: "failed" },
  unknown: { status: "paused" },
  "right-to-left": {
    status: "running",
    progress: 40,
    name: "תרגול המודל על הזמנות מרץ (v2)",
    subtask: "قراءة المصدر 12 / 20",
    user_name: "محمد",
  },
  "right-to-left-failed": {
    status: "failed",
    name: "تدريب النموذج على طلبات مارس",
    error_code: "QUOTA",
    error_description: "لا توجد مساحة كافية في مساحة العمل (50 GB).",
    user_name: "דנה",
  },
  long: {
    status: "running",
    progress: 7,
    name: "Nightly import of all orders, invoices and returns of every market ".repeat(5),
    subtask: "Reading the source of the orders of March in the warehouse ".repeat(3),
    user_name: "a-service-account-with-a-very-long-name@analytics.example.com",
  },
  "hostile-running": { ...HOSTILE, status: "running", progress: 1e9 },
  "hostile-success": { ...HOSTILE, status: "success" },
  "hostile-failed": { ...HOSTILE, status: "failed" },
  "hostile-unknown": { ...HOSTILE, status: HOSTILE.user_name },
};

/** The platform behind the endpoint. */
export const platform = createFakePlatform({ token: "a-token" });
/** The endpoint. */
export const app = createApp(
  readConfig({
    DEEPINT_TOKEN: "a-token",
    RESOLVE_API_KEYS: "a-key-of-16-characters-or-more",
    RESOLVE_LINK_SECRETS: SECRET,
    RESOLVE_ALLOWED_WORKSPACES: "workspace-1",
  }),
  { fetch: (url, init) => platform.fetch(url, init), log: () => {} },
);

/** Adds a task and returns the path of a link to it that is valid for `ttl` ms. */
export async function linkTo(task: FakeTask, ttl = 3_600_000): Promise<string> {
  const { organization, workspace, id } = platform.add({
    name: "Train the churn model on orders of March",
    user_name: "Analyst",
    created: new Date(Date.now() - 95_000).toISOString(),
    ...task,
  });
  const links = createLinkSigner({ secrets: [SECRET], ttl, now: Date.now });
  const ids = { organizationId: organization, workspaceId: workspace, taskId: id };
  return `/status/${await links.createToken(ids)}`;
}

/** A link for each state and each problem. */
export const PAGES: Record<string, () => Promise<string>> = {
  ...Object.fromEntries(
    Object.entries(STATES).map(([name, task]) => [name, () => linkTo(task)]),
  ),
  expired: () => linkTo({}, -8_000),
  gone: async () => {
    const link = await linkTo({ id: "gone" });
    platform.reset();
    return link;
  },
  unreachable: async () => {
    const link = await linkTo({});
    platform.inject(() => new Response("down", { status: 500 }));
    return link;
  },
  "not-allowed": () => linkTo({ workspace: "another" }),
};
