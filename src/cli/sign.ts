/** The command `sign`. Internal. */
// deno-lint-ignore-file no-import-prefix -- `deno install` of a URL sees no import map
import { readFile } from "node:fs/promises";
import process from "node:process";
import { buffer } from "node:stream/consumers";
import type { Command } from "npm:commander@^15.1.0";
import { DeepintCredentialsError } from "../../mod.ts";
import { signWebhook } from "../internal/standard_webhooks.ts";
import { findSecretProblem, splitSecrets } from "../internal/webhook_secret.ts";
import { sanitizeText } from "../internal/text.ts";
import { addCommand, type CommandContext, type Flags, NAME } from "./command.ts";
import { writeJson, writeLine } from "./output.ts";

async function readBodyFile(file: string): Promise<string> {
  if (file === "-" && process.stdin.isTTY) {
    throw new RangeError("Cannot sign without a body: pass its file with --body, or pipe it in");
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

async function sign(body: string): Promise<Record<string, string>> {
  const [secret = ""] = splitSecrets(process.env.RESOLVE_WEBHOOK_SECRETS ?? "");
  const problem = findSecretProblem(secret);
  if (problem) {
    throw new DeepintCredentialsError(
      secret ? "CREDENTIALS_INVALID" : "CREDENTIALS_NOT_FOUND",
      secret
        ? `Cannot sign: the first secret of RESOLVE_WEBHOOK_SECRETS ${problem}`
        : "Cannot find a secret: set the environment variable RESOLVE_WEBHOOK_SECRETS",
    );
  }
  const id = `msg_${crypto.randomUUID()}`;
  const timestamp = Math.floor(Date.now() / 1_000);
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": await signWebhook(secret, { id, timestamp, body }),
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
      const headers = await sign(await readBodyFile(flags.body));
      if (flags.json) return await writeJson(headers);
      for (const [name, value] of Object.entries(headers)) {
        await writeLine(`-H '${name}: ${value}'`);
      }
    });
}
