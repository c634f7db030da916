// Rejections of any value, and abort signals that count their listeners.
import { fail } from "@std/assert";

/** Returns the rejection of a promise, an error or any other value. */
export function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(() => fail("the promise did not reject"), (reason: unknown) => reason);
}

/** An abort signal that keeps count of its listeners. */
export function countedAbort() {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = new Map<unknown, boolean>();
  let added = 0;
  const { addEventListener, removeEventListener } = signal;
  Object.assign(signal, {
    addEventListener(...args: Parameters<typeof addEventListener>) {
      const [, listener, options] = args;
      listeners.set(listener, typeof options === "object" && options.once === true);
      added++;
      addEventListener.apply(signal, args);
    },
    removeEventListener(...args: Parameters<typeof removeEventListener>) {
      listeners.delete(args[1]);
      removeEventListener.apply(signal, args);
    },
  });
  return {
    signal,
    abort(reason?: unknown) {
      controller.abort(reason);
      for (const [listener, once] of listeners) if (once) listeners.delete(listener);
    },
    get listeners() {
      return listeners.size;
    },
    get added() {
      return added;
    },
  };
}
