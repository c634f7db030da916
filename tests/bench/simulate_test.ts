import { assert, assertEquals } from "@std/assert";
import { bound, study, summary } from "./study.ts";

const groups = study();

for (
  const { name, times } of [
    { name: "1 minute", times: 1.5 },
    { name: "10 minutes", times: 4 },
    { name: "1 hour", times: 12 },
  ]
) {
  Deno.test(`tasks of ${name} take ${times} times fewer polls than every 3 s`, () => {
    const samples = groups.find((group) => group.name === name)?.samples ?? [];
    assertEquals(samples.length, 10_000);
    const [fixed, adaptive] = [summary(samples, "fixed"), summary(samples, "adaptive")];
    assert(fixed.polls >= times * adaptive.polls, `${fixed.polls} to ${adaptive.polls}`);
  });
}

Deno.test("the end of a task is seen at most 11 % of its run time + 2.2 s late", () => {
  for (const { duration, adaptive, fixed } of groups.flatMap(({ samples }) => samples)) {
    assert(adaptive.lateness <= bound(duration), `${adaptive.lateness} ms after ${duration} ms`);
    assert(adaptive.lateness <= 66_000 && fixed.lateness <= 3_000);
  }
});

Deno.test("run times have the median of their name", () => {
  for (const { name, median, samples } of groups) {
    const below = samples.filter(({ duration }) => duration < median).length;
    assert(Math.abs(below - samples.length / 2) < 200, `${name}: ${below} of ${samples.length}`);
  }
});
