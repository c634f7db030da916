import { assert, assertEquals } from "@std/assert";
import { keyVerifier, parseBearer } from "../../functions/auth/bearer.ts";
/** The check of an `Authorization` header against keys. */
function bearerCheck(keys: readonly string[]): (authorization: string) => boolean {
  const isKey = keyVerifier(keys);
  return (authorization) => isKey(parseBearer(authorization));
}

Deno.test("a bearer key passes with any case of the scheme and any number of spaces", () => {
  const check = bearerCheck(["an-old-key-of-ours", "a-new-key-of-ours!"]);
  for (const header of ["Bearer an-old-key-of-ours", "bearer   a-new-key-of-ours!"]) {
    assert(check(header), header);
    assert(check(header.replace(/^bearer/i, "BEARER")));
  }
});

Deno.test("anything but the exact key is refused", () => {
  const key = "a-key-of-ours-that-is-long";
  const check = bearerCheck([key, key + "er"]);
  const wrong = [
    "",
    "Bearer",
    "Bearer ",
    "Bearer  ",
    key,
    `Bearer${key}`,
    `Bearer\t${key}`,
    `Basic ${key}`,
    `xBearer ${key}`,
    ` Bearer ${key}`,
    `Bearer ${key} `,
    `Bearer ${key}e`,
    `Bearer ${key}er2`,
    `Bearer ${key.slice(1)}`,
    `Bearer ${key.toUpperCase()}`,
    `Bearer ${key}, Bearer ${key}`,
    `Bearer ${key}\0`,
    "Bearer " + key.replace("a", "\u0161"), // the same low byte
  ];
  for (const header of wrong) assert(!check(header), JSON.stringify(header));
  assert(check(`Bearer ${key}`));
});

Deno.test("no bearer passes without keys or with an empty key", () => {
  for (const keys of [[], [""]]) {
    for (const header of ["", "Bearer", "Bearer ", "Bearer x", "Bearer undefined"]) {
      assert(!bearerCheck(keys)(header));
    }
    for (const given of ["", undefined]) assert(!keyVerifier(keys)(given));
  }
});

Deno.test("a bearer is compared in full with every key", () => {
  const keys = ["a".repeat(20), "b".repeat(20), "c".repeat(20)];
  const check = bearerCheck(keys);
  // Counting the characters read is the test of this that no noise can disturb.
  const original = String.prototype.charCodeAt;
  const reads = (given: string) => {
    let count = 0;
    String.prototype.charCodeAt = function (index) {
      count++;
      return original.call(this, index);
    };
    try {
      check(`Bearer ${given}`);
    } finally {
      String.prototype.charCodeAt = original;
    }
    return count;
  };
  for (const given of [...keys, "x".repeat(20), "a" + "x".repeat(19), "c".repeat(19) + "x"]) {
    assertEquals(reads(given), 2 * 20 * keys.length, given);
  }
});
