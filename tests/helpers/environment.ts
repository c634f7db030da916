/**
 * The environment of a test. Test files share one process and its environment: a variable set by one file
 * would reach the others and their child processes. Tests of the real environment start a process.
 */

/** Replaces the environment with these variables until it is disposed of. */
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
