/** Text for durations. Apart from text.ts: only the command line and the status page load it. */

/**
 * Formats a duration in its two largest units: `45 s`, `3 min 05 s`, `2 h 07 min`, `1 d 03 h`. The
 * status page embeds its source: it refers to nothing outside itself and has no named inner function,
 * which esbuild's `keepNames` (the default of wrangler) would wrap in a helper.
 */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const [d, h, m, s] = [seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60]
    .map((value) => String(Math.floor(value)).padStart(2, "0"));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Number(m)} min ${s} s`;
  return seconds < 86_400 ? `${Number(h)} h ${m} min` : `${Number(d)} d ${h} h`;
}
