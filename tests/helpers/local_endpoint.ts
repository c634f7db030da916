/** The real endpoint in front of a fake platform, both on loopback. */
import { createApp, readConfig } from "../../functions/app.ts";
import { createFakePlatform, type FakePlatform } from "./fake_platform.ts";
import { listen, listenAs, type Listening } from "./listen.ts";

/** Options of {@linkcode startLocalEndpoint}. */
export interface LocalEndpointOptions {
  /** The platform's token. */
  token: string;
  /** Settings of the endpoint, in addition to the token and the instance. */
  settings: Record<string, string>;
  /** Keeps the responses of finished tasks for a minute. @default {true} */
  isCached?: boolean;
  /** Responds instead of the endpoint, unless it returns `undefined`. */
  intercept?(request: Request): Promise<Response> | undefined;
}

/** A running platform and endpoint. */
export interface LocalEndpoint extends AsyncDisposable {
  readonly platform: FakePlatform;
  /** Origin of the platform. */
  readonly instance: string;
  /** Origin of the endpoint. */
  readonly origin: string;
}

/** Starts a fake platform and an endpoint that polls it, without an access log. */
export function startLocalEndpoint(
  { token, settings, intercept, isCached = true }: LocalEndpointOptions,
): LocalEndpoint {
  const platform = createFakePlatform({ token });
  const upstream: Listening = listenAs(platform);
  const config = readConfig({
    DEEPINT_TOKEN: token,
    DEEPINT_INSTANCE: upstream.origin,
    ...settings,
  });
  const create = () => createApp(config, { log: () => {} });
  const app = create();
  const endpoint = listen((request) =>
    intercept?.(request) ?? (isCached ? app : create()).fetch(request)
  );
  return {
    platform,
    instance: upstream.origin,
    origin: endpoint.origin,
    async [Symbol.asyncDispose]() {
      await endpoint[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}
