// The README as registries show it, without the files next to it. Run by the release workflow, with the
// repository in GITHUB_SERVER_URL and GITHUB_REPOSITORY, it changes README.md for JSR.
import config from "../../deno.json" with { type: "json" };
import { root } from "../helpers/run_deno.ts";

/** Files that every published package contains. */
const PUBLISHED = /^(LICENSE|README\.md)(#|$)/;

/** Makes links to files absolute. Without a repository, only their text stays. */
export function absoluteLinks(markdown: string, repository: string | undefined): string {
  const files = `${repository}/blob/v${config.version}`;
  // an address has a scheme, and a heading starts with #
  return markdown.replaceAll(/\[([^\]]*)\]\((?![a-z]+:|#)([^)]+)\)/g, (link, text, path) => {
    if (PUBLISHED.test(path)) return link;
    return repository ? `[${text}](${files}/${path})` : text;
  });
}

/** Returns the repository in which a workflow runs. */
export function workflowRepository(): string | undefined {
  const [server, repository] = ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY"].map((name) =>
    Deno.env.get(name)
  );
  return server && repository ? `${server}/${repository}` : undefined;
}

if (import.meta.main) {
  const file = new URL("README.md", root);
  await Deno.writeTextFile(
    file,
    absoluteLinks(await Deno.readTextFile(file), workflowRepository()),
  );
}
