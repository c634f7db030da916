// Each assertion holds when it should and fails when it should: with JSR's @std/assert, and with
// the stand-in that replaces it where JSR is out of reach.
import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertIsError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertNotInstanceOf,
  assertNotMatch,
  assertNotStrictEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  equal,
  fail,
  unimplemented,
  unreachable,
} from "@std/assert";

/** Whether `fn` throws an AssertionError; it relies on none of what it tests. */
function fails(fn: () => unknown): boolean {
  try {
    fn();
    return false;
  } catch (error) {
    if (error instanceof AssertionError) return true;
    throw error;
  }
}

/** As {@linkcode fails}, for a promise. */
async function rejects(fn: () => Promise<unknown>): Promise<boolean> {
  try {
    await fn();
    return false;
  } catch (error) {
    if (error instanceof AssertionError) return true;
    throw error;
  }
}

function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(`expected: ${what}`);
}

class Point {
  #x: number;
  label?: string;
  constructor(x: number) {
    this.#x = x;
  }
  get x(): number {
    return this.#x;
  }
}
class Other extends Point {}

const cycle = (name: string) => {
  const value: Record<string, unknown> = { name };
  value.self = value;
  return value;
};

const same: [unknown, unknown][] = [
  [1, 1],
  [0, -0],
  [NaN, NaN],
  [undefined, undefined],
  [10n, 10n],
  [{ a: 1, b: [2, { c: 3 }] }, { b: [2, { c: 3 }], a: 1 }],
  [[], []],
  [Object.create(null), {}],
  [new Date(5), new Date(5)],
  [new Date(NaN), new Date(NaN)],
  [/a/g, /a/g],
  [new URL("https://a.example/b"), new URL("https://a.example/b")],
  [new URLSearchParams("a=1"), new URLSearchParams("a=1")],
  [new Set([1, 2]), new Set([2, 1])],
  [new Set([{ a: 1 }, { a: 2 }]), new Set([{ a: 2 }, { a: 1 }])],
  [new Map([["a", { b: 1 }]]), new Map([["a", { b: 1 }]])],
  [new Uint8Array([1, 2]), new Uint8Array([1, 2])],
  [new Uint8Array([1, 2]).buffer, new Uint8Array([1, 2]).buffer],
  [{ [Symbol.for("s")]: 1 }, { [Symbol.for("s")]: 1 }],
  [new Point(1), new Point(1)],
  [cycle("a"), cycle("a")],
];

const different: [unknown, unknown][] = [
  [1, 2],
  [1, "1"],
  [1, 1n],
  [null, undefined],
  [null, {}],
  [{}, []],
  [{ a: undefined }, {}],
  [{ a: undefined }, { b: undefined }],
  [{ a: { b: 1 } }, { a: { b: 2 } }],
  [[1, 2], [2, 1]],
  [[1], [1, 2]],
  [new Date(5), new Date(6)],
  [/a/g, /a/i],
  [new URL("https://a.example/b"), new URL("https://a.example/c")],
  [new URLSearchParams("a=1"), new URLSearchParams("a=2")],
  [new Set([1, 2]), new Set([1, 3])],
  [new Set([1]), new Set([1, 2])],
  [new Set([{ a: 1 }]), new Set([{ a: 2 }])],
  [new Map([["a", { b: 1 }]]), new Map([["a", { b: 2 }]])],
  [new Map([["a", 1]]), new Map([["b", 1]])],
  [new Uint8Array([1, 2]), new Uint8Array([1, 3])],
  [new Uint8Array([1]), new Uint8Array([1, 2])],
  [new Uint8Array([1]), new Int8Array([1])],
  [{ [Symbol.for("s")]: 1 }, { [Symbol.for("s")]: 2 }],
  [new Point(1), new Point(2)],
  [new Point(1), new Other(1)],
  [new Error("a"), new Error("b")],
  [cycle("a"), cycle("b")],
  [() => 1, () => 1],
];

Deno.test("equal(), assertEquals() and assertNotEquals() agree on what is alike", () => {
  for (const [a, b] of same) {
    const name = `${Deno.inspect(a)} is ${Deno.inspect(b)}`;
    expect(equal(a, b) && equal(b, a), name);
    expect(!fails(() => assertEquals(a, b)), name);
    expect(fails(() => assertNotEquals(a, b)), name);
  }
  for (const [a, b] of different) {
    const name = `${Deno.inspect(a)} is not ${Deno.inspect(b)}`;
    expect(!equal(a, b) && !equal(b, a), name);
    expect(fails(() => assertEquals(a, b)), name);
    expect(!fails(() => assertNotEquals(a, b)), name);
  }
});

const object = { a: 1 };

// [name, call that holds, calls that must fail]
const cases: [string, () => unknown, (() => unknown)[]][] = [
  ["assert", () => assert("x"), [() => assert(0), () => assert("", "why")]],
  ["assertFalse", () => assertFalse(0), [() => assertFalse("x")]],
  [
    "assertExists",
    () => assertExists(0),
    [() => assertExists(null), () => assertExists(undefined)],
  ],
  [
    "assertStrictEquals",
    () => assertStrictEquals(object, object),
    [() => assertStrictEquals({ a: 1 }, { a: 1 }), () => assertStrictEquals(0, -0)],
  ],
  [
    "assertNotStrictEquals",
    () => assertNotStrictEquals({ a: 1 }, { a: 1 }),
    [() => assertNotStrictEquals(object, object), () => assertNotStrictEquals(NaN, NaN)],
  ],
  [
    "assertGreater",
    () => assertGreater(2, 1),
    [() => assertGreater(1, 1), () => assertGreater(NaN, 1)],
  ],
  [
    "assertGreaterOrEqual",
    () => assertGreaterOrEqual(1, 1),
    [() => assertGreaterOrEqual(0, 1), () => assertGreaterOrEqual(NaN, 1)],
  ],
  ["assertLess", () => assertLess(1, 2), [() => assertLess(1, 1), () => assertLess(NaN, 1)]],
  [
    "assertLessOrEqual",
    () => assertLessOrEqual(1, 1),
    [() => assertLessOrEqual(2, 1), () => assertLessOrEqual(NaN, 1)],
  ],
  [
    "assertAlmostEquals",
    () => {
      assertAlmostEquals(0.1 + 0.2, 0.3);
      assertAlmostEquals(1, 1.4, 0.5);
    },
    [() => assertAlmostEquals(1, 1.1), () => assertAlmostEquals(1, 2, 0.5)],
  ],
  ["assertMatch", () => assertMatch("abc", /b/), [() => assertMatch("abc", /x/)]],
  ["assertNotMatch", () => assertNotMatch("abc", /x/), [() => assertNotMatch("abc", /b/)]],
  [
    "assertStringIncludes",
    () => assertStringIncludes("abc", "b"),
    [() => assertStringIncludes("abc", "x")],
  ],
  [
    "assertArrayIncludes",
    () => assertArrayIncludes([{ a: 1 }, { a: 2 }], [{ a: 2 }]),
    [() => assertArrayIncludes([{ a: 1 }], [{ a: 2 }]), () => assertArrayIncludes([1], [1, 2])],
  ],
  [
    "assertObjectMatch",
    () => assertObjectMatch({ a: 1, b: { c: [1, 2], d: 2 } }, { b: { c: [1] } }),
    [
      () => assertObjectMatch({ a: 1 }, { a: 2 }),
      () => assertObjectMatch({ a: 1 }, { b: 1 }),
      () => assertObjectMatch({ a: { b: 1 } }, { a: { b: 2 } }),
      () => assertObjectMatch({ a: [1] }, { a: [1, 2] }),
      () => assertObjectMatch({ a: /b/ }, { a: /c/ }),
      () => assertObjectMatch({ a: new Map([["b", 1]]) }, { a: new Map([["b", 2]]) }),
      () => assertObjectMatch({ a: new Set([1]) }, { a: new Set([2]) }),
      () => assertObjectMatch(new Point(1), { x: 1 }),
    ],
  ],
  [
    "assertInstanceOf",
    () => assertInstanceOf(new RangeError(), Error),
    [() => assertInstanceOf(new Error(), RangeError), () => assertInstanceOf("a", String)],
  ],
  [
    "assertNotInstanceOf",
    () => assertNotInstanceOf(new Error(), RangeError),
    [() => assertNotInstanceOf(new RangeError(), Error)],
  ],
  [
    "assertIsError",
    () => assertIsError(new RangeError("too far"), RangeError, "far"),
    [
      () => assertIsError({ message: "too far" }),
      () => assertIsError(new Error("too far"), RangeError),
      () => assertIsError(new RangeError("too far"), RangeError, "near"),
      () => assertIsError(new RangeError("too far"), RangeError, /near/),
    ],
  ],
  [
    "assertThrows",
    () =>
      assertThrows(() => {
        throw new RangeError("too far");
      }),
    [
      () => assertThrows(() => 1),
      () => assertThrows(() => 1, RangeError),
      () => assertThrows(() => 1, "why"),
      () => assertThrows(throwsTypeError, RangeError),
      () => assertThrows(throwsTypeError, TypeError, "near"),
      () =>
        assertThrows(() => {
          throw "too far";
        }, Error),
    ],
  ],
  ["fail", () => 1, [() => fail(), () => fail("why")]],
  ["unreachable", () => 1, [() => unreachable(), () => unreachable("why")]],
  ["unimplemented", () => 1, [() => unimplemented(), () => unimplemented("why")]],
];

function throwsTypeError(): never {
  throw new TypeError("too far");
}

for (const [name, holds, failing] of cases) {
  Deno.test(`${name}() fails when it should and only then`, () => {
    expect(!fails(holds), `${holds} to hold`);
    for (const call of failing) expect(fails(call), `${call} to fail`);
  });
}

Deno.test("assertThrows() and assertRejects() hand back what was thrown", async () => {
  const error: TypeError = assertThrows(throwsTypeError, TypeError, "far");
  expect(error.message === "too far", "the error of the function");
  const reason = new RangeError("too far");
  const rejected: RangeError = await assertRejects(() => Promise.reject(reason), RangeError);
  expect(rejected === reason, "the reason of the promise");
  expect(await assertRejects(() => Promise.reject("x")) === "x", "a reason that is no error");
});

Deno.test("assertRejects() fails when it should", async () => {
  const rejecting = () => Promise.reject(new TypeError("too far"));
  expect(await rejects(() => assertRejects(() => Promise.resolve(1))), "a promise that resolves");
  expect(await rejects(() => assertRejects(rejecting, RangeError)), "another class");
  expect(await rejects(() => assertRejects(rejecting, TypeError, "near")), "another message");
  expect(await rejects(() => assertRejects(throwsTypeError)), "a throw before the promise");
  expect(
    await rejects(() => assertRejects(() => Promise.reject("too far"), Error)),
    "a reason that is no error",
  );
});

Deno.test("messages name what was compared, and the caller's own words", () => {
  for (
    const call of [
      () => assertEquals({ a: 1234 }, { a: 5678 }, "own words"),
      () => assertStrictEquals(1234, 5678, "own words"),
    ]
  ) {
    const { message } = assertThrows(call, AssertionError);
    for (const word of ["1234", "5678", "own words"]) {
      expect(message.includes(word), `${word} in ${message}`);
    }
  }
});

Deno.test("assertions narrow types", () => {
  const maybe = ["a"].at(0);
  assertExists(maybe);
  const text: string = maybe;
  const unknown: unknown = new RangeError(text);
  assertInstanceOf(unknown, RangeError);
  const error: RangeError = unknown;
  const other: unknown = error;
  assertIsError(other, RangeError);
  const again: RangeError = other;
  expect(again.message === "a", "the narrowed value");
});
