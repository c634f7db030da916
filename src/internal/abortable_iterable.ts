/** Async iterables that cancel their work as soon as the reader leaves. */

/**
 * Creates an iterable over an async generator. The signal passed to `generate` aborts with `signal`, and
 * when the reader leaves; a generator notices the latter only at its next `yield`.
 */
export function abortableIterable<T>(
  signal: AbortSignal | undefined,
  generate: (stop: AbortSignal) => AsyncGenerator<T, void, void>,
): AsyncIterable<T> {
  async function* run(stop: AbortController): AsyncGenerator<T, void, void> {
    signal?.throwIfAborted();
    const abort = () => stop.abort(signal?.reason);
    signal?.addEventListener("abort", abort);
    try {
      yield* generate(stop.signal);
    } catch (error) {
      // the reader has left: an end, not an error
      if (signal?.aborted || !stop.signal.aborted) throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
      stop.abort(); // cancel requests that are still in flight
    }
  }

  return {
    [Symbol.asyncIterator]() {
      const stop = new AbortController();
      const items = run(stop);
      return {
        next: () => items.next(),
        return: () => {
          stop.abort();
          return items.return();
        },
      };
    },
  };
}
