import { assertEquals } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { VERSION } from "../../src/internal/version.ts";

Deno.test("the version in the source equals the one in deno.json", () => {
  assertEquals(VERSION, config.version);
});
