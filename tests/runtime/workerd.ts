// Cloudflare workerd: a module Worker.
import { workerHandler } from "./endpoint.ts";

export default { fetch: workerHandler() };
