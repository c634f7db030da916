/** Formats a table. Columns of numbers are aligned to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) =>
    Math.max(...all.map((row) => [...row[column] ?? ""].length))
  );
  const right = head.map((_, column) =>
    column > 0 && rows.every((row) => /^(|[^A-Za-z].*)$/.test(row[column] ?? ""))
  );
  const line = (row: readonly string[]) =>
    widths.map((width, column) => {
      const text = row[column] ?? "";
      return right[column] ? text.padStart(width) : text.padEnd(width);
    }).join("  ").trimEnd();
  return [line(head), widths.map((width) => "-".repeat(width)).join("  "), ...rows.map(line)]
    .join("\n");
}
