/**
 * The environment of a test. Files of tests run side by side in one process, which has one environment: a
 * file that set a variable of it would set it for all, and for the processes that they start. That the
 * real one is read is shown by tests that start a process.
 */

/** Has this file find these variables in its environment, and no others, until it is disposed of. */
export function environment(variables: Record<string, string>): Disposable {
  const { env: real } = Deno;
  const own = new Map(Object.entries(variables));
  const env: Deno.Env = {
    get: (name) => own.get(name),
    set: (name, value) => void own.set(name, value),
    delete: (name) => void own.delete(name),
    has: (name) => own.has(name),
    toObject: () => Object.fromEntries(own),
  };
  Object.assign(Deno, { env });
  return { [Symbol.dispose]: () => void Object.assign(Deno, { env: real }) };
}
