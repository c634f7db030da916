// Deep equality for tests/helpers/assert.ts, with the verdicts of `equal` in `@std/assert`.

/**
 * Whether two values are alike: the same prototype, and the same own properties, getters and
 * entries all the way down. `0` equals `-0` and `NaN` equals `NaN`.
 */
export function equal(a: unknown, b: unknown): boolean {
  return compare(a, b, new Map());
}

function compare(a: unknown, b: unknown, seen: Map<unknown, unknown>): boolean {
  if (a === b || Object.is(a, b)) return true;
  if (!isObject(a) || !isObject(b) || prototypeOf(a) !== prototypeOf(b)) return false;
  if (a instanceof Date && b instanceof Date) return Object.is(a.getTime(), b.getTime());
  if (TEXTS.some((type) => a instanceof type)) return String(a) === String(b);
  if (a instanceof ArrayBuffer && b instanceof ArrayBuffer) {
    return compare(new Uint8Array(a), new Uint8Array(b), seen);
  }
  if (a instanceof WeakMap || a instanceof WeakSet) {
    throw new TypeError(`cannot compare ${a.constructor.name} instances`);
  }
  if (a instanceof WeakRef && b instanceof WeakRef) return compare(a.deref(), b.deref(), seen);

  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) {
    const [left, right] = [bytesOf(a), bytesOf(b)];
    return left.length === right.length && left.every((byte, at) => byte === right[at]);
  }

  // A cycle is alike as long as both sides come round at the same place.
  if (seen.get(a) === b) return true;
  seen.set(a, b);
  const alike = sameEntries(a, b, seen) && sameProperties(a, b, seen);
  if (!alike) seen.delete(a);
  return alike;
}

const TEXTS = [RegExp, URL, URLSearchParams, Intl.Locale];

/** Whether a value has properties to compare. */
export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** An object without a prototype counts as a plain one. */
function prototypeOf(value: object): unknown {
  return Object.getPrototypeOf(value) ?? Object.prototype;
}

/** The own keys of an object, symbols too, that it does not hide. */
export function enumerableKeys(value: object): PropertyKey[] {
  return Reflect.ownKeys(value).filter((key) =>
    Object.prototype.propertyIsEnumerable.call(value, key)
  );
}

/** Own enumerable keys, the getters of a class, and what an error keeps out of enumeration. */
function keysOf(value: object): Set<PropertyKey> {
  const keys = new Set<PropertyKey>(enumerableKeys(value));
  if (value instanceof Error) {
    for (const key of ["name", "message", "cause"]) if (key in value) keys.add(key);
  }
  for (
    let from = Object.getPrototypeOf(value);
    isObject(from) && from !== Object.prototype;
    from = Object.getPrototypeOf(from)
  ) {
    for (const key of Reflect.ownKeys(from)) {
      if (Object.getOwnPropertyDescriptor(from, key)?.get && key !== "__proto__") keys.add(key);
    }
  }
  return keys;
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function sameProperties(a: object, b: object, seen: Map<unknown, unknown>): boolean {
  const keys = [...keysOf(a)];
  return keys.length === keysOf(b).size &&
    keys.every((key) => key in b && compare(Reflect.get(a, key), Reflect.get(b, key), seen));
}

function sameEntries(a: object, b: object, seen: Map<unknown, unknown>): boolean {
  if (a instanceof Set && b instanceof Set) {
    return a.size === b.size && pairUp([...a], [...b], seen);
  }
  if (a instanceof Map && b instanceof Map) {
    return a.size === b.size && pairUp([...a], [...b], seen);
  }
  return true;
}

/** Each item on the left has its own equal on the right. */
function pairUp(left: unknown[], right: unknown[], seen: Map<unknown, unknown>): boolean {
  const rest = [...right];
  return left.every((item) => {
    const at = rest.findIndex((other) => compare(item, other, seen));
    if (at >= 0) rest.splice(at, 1);
    return at >= 0;
  });
}
