// `deno task simulate`: prints the study of the polling schedules.
// deno-lint-ignore-file no-console
import { type Group, SIGMA, study, summary, TASKS } from "./study.ts";
import { table } from "./table.ts";

const groups = study();
console.log(`${TASKS.toLocaleString("en")} tasks for each median, log-normal, sigma ${SIGMA}:\n`);
console.log(table(
  ["median", "schedule", "polls a task", "fewer", "late, mean", "late, worst", "of its bound"],
  groups.flatMap(rows),
));

function rows({ name, samples }: Group): string[][] {
  const fixed = summary(samples, "fixed");
  const adaptive = summary(samples, "adaptive");
  const late = ({ lateness, worst }: typeof fixed) => [seconds(lateness), seconds(worst)];
  return [
    [name, "fixed, 3 s", fixed.polls.toFixed(1), "", ...late(fixed), ""],
    [
      ...[
        "",
        "adaptive",
        adaptive.polls.toFixed(1),
        `${(fixed.polls / adaptive.polls).toFixed(1)} ×`,
      ],
      ...late(adaptive),
      `${(100 * adaptive.ofBound).toFixed(0)} %`,
    ],
  ];
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
