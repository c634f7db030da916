/** Output of the demo: requests and responses that fit a terminal of 80 columns. */
import { styleText } from "node:util";

const colors = Deno.stdout.isTerminal() && !Deno.noColor;

function style(format: Parameters<typeof styleText>[0], text: string): string {
  return colors ? styleText(format, text, { validateStream: false }) : text;
}

/** Prints a line. */
export function say(line: string): void {
  // deno-lint-ignore no-console -- the demo is what it prints
  console.log(line);
}

/** Prints the title of a section. */
export function title(text: string): void {
  say(`\n${style("bold", text)}\n${"-".repeat(text.length)}`);
}

/** Prints a request with its body. */
export function sayRequest(method: string, path: string, body?: string): void {
  say(style("bold", `→ ${method} ${path}`));
  if (body) sayBody(body);
}

/** Prints the status of a response and when to ask again. */
export function sayResponse(status: number, headers: Headers): void {
  const retryAfter = headers.get("retry-after");
  const text = `← ${status}${retryAfter ? `, Retry-After: ${retryAfter}` : ""}`;
  say(style(status < 300 ? "green" : "red", text));
}

/** Prints a JSON document without the members that are null, in lines of up to 78 columns. */
export function sayBody(text: string): void {
  const body = JSON.parse(text, (_key, value) => value ?? undefined);
  const words = JSON.stringify(body).replaceAll(/,(?=["{])/g, ", ").split(" ");
  let line = " ";
  for (const word of words) {
    if (line.length + 1 + word.length > 78) {
      say(line);
      line = "   ";
    }
    line += ` ${word}`;
  }
  say(`${line}\n`);
}
