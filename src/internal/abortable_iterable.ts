/** Async iterables that cancel their work as soon as the reader leaves. */

async function* run<T>(
  generate: (stop: AbortSignal) => AsyncGenerator<T, void, void>,
  signal: AbortSignal | undefined,
  stop: AbortController,
): AsyncGenerator<T, void, void> {
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

/**
 * Creates an iterable over an async generator. The signal passed to `generate` aborts with `signal`, and
 * when the reader leaves: `return()` and `throw()` settle immediately, while those of a generator wait
 * for its next `yield`.
 */
export function abortableIterable<T>(
  signal: AbortSignal | undefined,
  generate: (stop: AbortSignal) => AsyncGenerator<T, void, void>,
): AsyncIterable<T> {
  const iterate = (): AsyncIterableIterator<T> => {
    const stop = new AbortController();
    const items = run(generate, signal, stop);
    const leave = (value?: unknown) => {
      stop.abort();
      items.return().catch(() => {}); // its error belongs to a pending next()
      return Promise.resolve({ done: true as const, value });
    };
    const iterator: AsyncIterableIterator<T> = {
      next: () => items.next(),
      return: leave,
      throw: (error?: unknown) => leave().then(() => Promise.reject(error)),
      [Symbol.asyncIterator]: () => iterator,
      // not every runtime has it
      ...(Symbol.asyncDispose && { [Symbol.asyncDispose]: () => leave() }),
    };
    return iterator;
  };
  return { [Symbol.asyncIterator]: iterate };
}
