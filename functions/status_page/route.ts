/** `GET /status/{token}`: the task of a signed link, as the status page or as JSON. */
import type { Context } from "hono";
import type { LinkSigner } from "../auth/link_token.ts";
import type { AppEnv } from "../http/log.ts";
import { type HttpProblem, routeNotFound, toProblemParts } from "../http/problem.ts";
import { type ResponseParts, sendResponse } from "../http/response.ts";
import type { RouteHandler } from "../http/route.ts";
import type { TaskIds } from "../http/task_ids.ts";
import type { TaskRoutes } from "../task/routes.ts";

/** Options of {@linkcode statusRoute}. */
export interface StatusRouteOptions {
  links: LinkSigner;
  tasks: Pick<TaskRoutes, "resolveLink">;
  /** Converts an error to a problem and adds it to the log. */
  toProblem: (error: Error, c: Context<AppEnv>) => HttpProblem;
  /** Prefix of incoming paths. */
  basePath: string;
  /** URL or path that callers see in place of `basePath`. */
  publicUrl: string;
  /** Returns the web URL of a task. */
  taskUrl: (ids: TaskIds) => URL;
  /** The clock, in ms since 1970. */
  now: () => number;
}

/** Creates the handler of the status page. */
export function statusRoute(
  { links, tasks, toProblem, basePath, publicUrl, taskUrl, now }: StatusRouteOptions,
): RouteHandler {
  /** Resolves the task of the link. The body has no new link: otherwise access would never expire. */
  async function taskFromLink(c: Context<AppEnv>, ids?: TaskIds): Promise<ResponseParts> {
    if (!ids) throw routeNotFound(); // as for any other path
    c.get("entry").auth = "link";
    const link = publicUrl + c.req.path.slice(basePath.length);
    const response = await tasks.resolveLink(c, ids, link);
    const location = response.headers && { location: link }; // the task route needs a key
    return { ...response, headers: { ...response.headers, ...location } };
  }

  return async function statusPage(c) {
    const { request_id: requestId } = c.get("entry");
    const ids = await links.verifyToken(c.req.param("token") ?? "");
    let problem: HttpProblem | undefined;
    const parts = await taskFromLink(c, ids).catch((error) => {
      if (c.req.raw.signal.aborted) throw error;
      problem = toProblem(error, c);
      return toProblemParts(problem, { requestId, publicUrl });
    });
    const { negotiate } = await import("./page.ts"); // few requests need it
    const options = {
      now: now(),
      problem: problem?.type,
      taskUrl: ids && taskUrl(ids),
    };
    return sendResponse(c, await negotiate(c, parts, options));
  };
}
