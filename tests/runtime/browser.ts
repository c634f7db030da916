/**
 * The parts of Playwright and axe-core that the tests of the status page use. A type check cannot reach their own types:
 * the packages are installed in `dist/`.
 */

/** `playwright-core`. */
export interface Playwright {
  chromium: { launch(options: { executablePath: string; args: string[] }): Promise<Browser> };
}

/** A browser. */
export interface Browser {
  version(): string;
  newContext(options: ContextOptions & { baseURL: string }): Promise<Context>;
  close(): Promise<void>;
}

/** Preferences and viewport of a browser context. */
export interface ContextOptions {
  javaScriptEnabled?: boolean;
  reducedMotion?: "reduce";
  viewport?: { width: number; height: number };
}

interface Context {
  newPage(): Promise<Page>;
  setOffline(offline: boolean): Promise<void>;
  close(): Promise<void>;
}

interface Answer {
  url(): string;
  status(): number;
  headers(): Record<string, string>;
}

/** A page. */
export interface Page {
  readonly clock: { install(): Promise<void>; runFor(ms: number): Promise<void> };
  readonly keyboard: { press(key: string): Promise<void> };
  addInitScript(script: string): Promise<unknown>;
  click(selector: string): Promise<void>;
  context(): Context;
  emulateMedia(media: { colorScheme: "light" | "dark" }): Promise<void>;
  evaluate<T>(expression: string): Promise<T>;
  getAttribute(selector: string, name: string): Promise<string | null>;
  goto(url: string): Promise<Answer | null>;
  on(event: "pageerror", listener: (error: Error) => void): unknown;
  on(event: "console", listener: (message: { text(): string }) => void): unknown;
  on(event: "request", listener: (request: { resourceType(): string }) => void): unknown;
  screenshot(options: { path: string; fullPage: boolean }): Promise<unknown>;
  setDefaultTimeout(ms: number): void;
  setViewportSize(size: { width: number; height: number }): Promise<void>;
  textContent(selector: string): Promise<string | null>;
  title(): Promise<string>;
  waitForEvent(event: "download"): Promise<{ url(): string; suggestedFilename(): string }>;
  waitForResponse(matches: (response: Answer) => boolean): Promise<Answer>;
  waitForSelector(selector: string, options?: { state: "attached" }): Promise<unknown>;
}

/** Result of `axe.run()`. */
export interface Axe {
  violations: { id: string; nodes: { html: string }[] }[];
}
