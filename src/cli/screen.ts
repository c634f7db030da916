// Not log-update: it erases the lines that it wrote, not the rows that they take after a resize.
/** Lines at the bottom of a terminal that are redrawn in place. Internal. */
// deno-lint-ignore-file no-import-prefix -- `deno install` of a URL sees no import map
import process from "node:process";
import { stripVTControlCharacters } from "node:util";
import stringWidth from "npm:string-width@^8.3.0";

/** Lines that are redrawn in place. */
export interface Screen {
  /** Replaces the lines of the last call. */
  draw(lines: string[]): void;
  /** Leaves the last lines where they are and restores the cursor. */
  end(): void;
}

const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";
// not "erase below": at the top of a screen, tmux would push each frame into its history
const ERASE_ROW_ABOVE = "\x1b[A\x1b[2K";
// terminals that know these show a frame as a whole, without flicker
const BEGIN_FRAME = "\x1b[?2026h";
const END_FRAME = "\x1b[?2026l";

const graphemes = new Intl.Segmenter();

/** Counts the rows that a line takes on a terminal; a wide character does not fit in a last column. */
function countRows(line: string, columns: number): number {
  let rows = 1;
  let column = 0;
  for (const { segment } of graphemes.segment(stripVTControlCharacters(line))) {
    const width = stringWidth(segment);
    if (column + width > columns) {
      rows++;
      column = 0;
    }
    column += width;
  }
  return rows;
}

/** Creates a screen on a terminal. Calls `redraw` when its size changes. */
export function createScreen(terminal: typeof process.stderr, redraw: () => void): Screen {
  const showCursor = () => terminal.write(SHOW_CURSOR);
  let drawn: string[] = [];
  terminal.on("resize", redraw);
  process.on("exit", showCursor); // a second interrupt does not reach `end`
  return {
    draw(lines) {
      // a terminal wraps the lines of the last frame when it becomes narrower
      const rows = drawn.reduce((sum, line) => sum + countRows(line, terminal.columns), 0);
      const erase = "\r" + ERASE_ROW_ABOVE.repeat(rows);
      const frame = lines.map((line) => `${line}\n`).join("");
      terminal.write(`${BEGIN_FRAME}${HIDE_CURSOR}${erase}${frame}${END_FRAME}`);
      drawn = lines;
    },
    end() {
      terminal.off("resize", redraw);
      process.off("exit", showCursor);
      showCursor();
    },
  };
}
