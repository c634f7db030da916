// The iterators of watch(), resolveAll() and Task.list() are complete, and end immediately.
import { assertEquals, assertRejects } from "@std/assert";
import { resolveAll, Task } from "../../mod.ts";
import { taskWith } from "../helpers/client.ts";

/** The three iterators, over a platform that never responds. */
function iterators() {
  const signals: (AbortSignal | null | undefined)[] = [];
  const fetch = (_url: string, init: RequestInit) => {
    signals.push(init.signal);
    return new Promise<Response>(() => {});
  };
  const { task } = taskWith({ fetch, known: {} });
  const iterables: Record<string, AsyncIterable<unknown>> = {
    "watch()": task.watch(),
    "resolveAll()": resolveAll([task]),
    "Task.list()": Task.list({ ...task, fetch }),
  };
  return { iterables, signals };
}

for (const name of Object.keys(iterators().iterables)) {
  const start = () => {
    const { iterables, signals } = iterators();
    const iterator = iterables[name]?.[Symbol.asyncIterator]();
    if (!iterator) throw new Error(name);
    return { iterator, signals };
  };

  Deno.test(`the iterator of ${name} is complete`, () => {
    const iterator = start().iterator as unknown as Record<string | symbol, unknown>;
    for (const key of ["next", "return", "throw", Symbol.asyncIterator, Symbol.asyncDispose]) {
      assertEquals(typeof iterator[key], "function", String(key));
    }
  });

  Deno.test(`return() of ${name} resolves immediately and cancels a request that hangs`, async () => {
    const { iterator, signals } = start();
    const next = iterator.next();
    while (signals.length === 0) await new Promise((resolve) => setTimeout(resolve));
    assertEquals(await iterator.return?.(), { done: true, value: undefined });
    assertEquals(await next, { done: true, value: undefined });
    assertEquals(signals.map((signal) => signal?.aborted), [true]);
    assertEquals((await iterator.next()).done, true);
    assertEquals(signals.length, 1);
  });

  Deno.test(`throw() of ${name} rejects with its error and cancels the request`, async () => {
    const { iterator, signals } = start();
    const next = iterator.next();
    while (signals.length === 0) await new Promise((resolve) => setTimeout(resolve));
    await assertRejects(async () => await iterator.throw?.(new Error("mine")), Error, "mine");
    assertEquals([(await next).done, signals[0]?.aborted], [true, true]);
  });

  Deno.test(`await using disposes of ${name}`, async () => {
    const { iterator, signals } = start();
    {
      await using _disposable = iterator as unknown as AsyncDisposable;
      iterator.next();
      while (signals.length === 0) await new Promise((resolve) => setTimeout(resolve));
    }
    assertEquals(signals[0]?.aborted, true);
  });

  Deno.test(`an iterator of ${name} that has begun works in for await`, async () => {
    const { iterator } = start();
    await iterator.return?.();
    for await (const _item of iterator as unknown as AsyncIterable<unknown>) throw new Error(name);
  });
}
