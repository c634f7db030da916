/** The command `sign`. Internal. */
// deno-lint-ignore-file no-import-prefix -- `deno install` of a URL sees no import map
import { Buffer } from "node:buffer";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { buffer } from "node:stream/consumers";
import type { Command } from "npm:commander@^15.1.0";
import { Webhook } from "npm:standardwebhooks@^1.1.1";
import { DeepintCredentialsError } from "../../mod.ts";
import { sanitizeText } from "../internal/text.ts";
import { addCommand, type CommandContext, type Flags, NAME } from "./command.ts";
import { writeJson, writeLine } from "./output.ts";

async function readBodyFile(file: string): Promise<string> {
  if (file === "-" && process.stdin.isTTY) {
    throw new RangeError("Cannot sign: there is no body; pass its file with --body, or pipe it in");
  }
  const bytes = await (file === "-" ? buffer(process.stdin) : readFile(file)).catch((cause) => {
    throw new Error(`Cannot read the body "${sanitizeText(file)}": ${cause.message}`, { cause });
  });
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Error(`Cannot sign the body "${sanitizeText(file)}": it is not UTF-8`);
  }
}

function sign(body: string): Record<string, string> {
  const secret = process.env.RESOLVE_WEBHOOK_SECRETS?.split(",")[0]?.trim() ?? "";
  // the endpoint's rule; the package would sign with any secret
  const key = Buffer.from(secret.slice(6), "base64");
  if (secret !== `whsec_${key.toString("base64")}` || key.length < 24 || key.length > 64) {
    throw new DeepintCredentialsError(
      secret ? "CREDENTIALS_INVALID" : "CREDENTIALS_NOT_FOUND",
      "Cannot sign: the first secret of RESOLVE_WEBHOOK_SECRETS must be whsec_ and the base64 of 24 to " +
        "64 bytes",
    );
  }
  const id = `msg_${crypto.randomUUID()}`;
  const now = new Date();
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(now.getTime() / 1_000)),
    "webhook-signature": new Webhook(secret).sign(id, now, body),
  };
}

/** Adds the command `sign`, which prints the headers of a signed webhook. */
export function addSign(program: Command, _context: CommandContext): void {
  addCommand(program, "sign", {
    description: "Sign a webhook body and print its headers as arguments of curl.",
    examples: [
      `${NAME} sign --body body.json |`,
      `  xargs curl http://localhost:8000/resolve --data-binary @body.json \\`,
      `    -H "Content-Type: application/json"`,
    ],
  })
    .option("--body <file>", "the body exactly as it is sent; - for standard input", "-")
    .addHelpText("after", "\nThe first secret of RESOLVE_WEBHOOK_SECRETS signs the body.")
    .action(async (flags: Flags & { body: string }) => {
      const headers = sign(await readBodyFile(flags.body));
      if (flags.json) return await writeJson(headers);
      for (const [name, value] of Object.entries(headers)) {
        await writeLine(`-H '${name}: ${value}'`);
      }
    });
}
