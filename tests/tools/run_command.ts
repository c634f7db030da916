/** Runs a command to its end. */

/**
 * Runs a command in a folder and returns its standard output.
 *
 * @throws when it fails, with its standard error
 */
export async function runCommand(command: string, args: string[], cwd: URL): Promise<string> {
  const ran = await new Deno.Command(command, { args, cwd, stdin: "null" }).output();
  const [stdout, stderr] = [ran.stdout, ran.stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!ran.success) throw new Error(`${command} ${args[0]} ended with ${ran.code}: ${stderr}`);
  return stdout ?? "";
}
