// Not @bomb.sh/tab: its bash script runs the $(…) in a typed line and starts the command at each Tab.
/** The command `completion`: scripts that complete commands, options and values in a shell. Internal. */
// deno-lint-ignore-file no-import-prefix -- `deno install` of a URL sees no import map
import { Argument, type Command, Help, type Option } from "npm:commander@^15.1.0";
import { type CommandContext, NAME } from "./command.ts";
import { writeLine } from "./output.ts";

/** A command as the shells complete it. */
interface CompletedCommand {
  name: string;
  description: string;
  options: readonly Option[];
  /** Values of its argument; none for the id of a task. */
  values: readonly string[];
}

/** The program as the shells complete it. */
interface CompletedProgram {
  commands: CompletedCommand[];
  options: readonly Option[];
}

function takesFile(option: Option): boolean {
  return option.flags.includes("<file>");
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function readProgram(program: Command): CompletedProgram {
  const help = new Help();
  const visible = help.visibleCommands(program);
  const names = visible.map((command) => command.name());
  const commands = visible.map((command) => ({
    name: command.name(),
    description: command.description(),
    options: help.visibleOptions(command),
    values: command.name() === "help" ? names : command.registeredArguments[0]?.argChoices ?? [],
  }));
  return { commands, options: help.visibleOptions(program) };
}

/** Lists the flags of options as bash and fish complete them. */
function flagsOf(options: readonly Option[]): string[] {
  return options.flatMap(({ long }) => long ?? []);
}

/** Creates the cases of bash for options that take a value. */
function bashValues(options: readonly Option[]): string[] {
  const valued = new Map(
    options.filter(({ required }) => required).map((option) => [option.long, option]),
  );
  return [...valued].map(([flag, option]) => {
    const values = takesFile(option)
      ? "compopt -o default 2>/dev/null; "
      : option.argChoices
      ? `COMPREPLY=($(compgen -W ${quote(option.argChoices.join(" "))} -- "$cur")); `
      : "";
    return `    ${flag}) ${values}return ;;`;
  });
}

function bashScript({ commands, options }: CompletedProgram): string {
  const words = commands.map(({ name, options, values }) =>
    `    ${name}) words=${quote([...values, ...flagsOf(options)].join(" "))} ;;`
  );
  const first = [...commands.map(({ name }) => name), ...flagsOf(options)];
  return `# bash completion for ${NAME}
_${NAME}() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" option="\${COMP_WORDS[COMP_CWORD - 1]}" words=
  # bash splits --option=value into three words
  if [[ $cur == = ]]; then cur=
  elif [[ $option == = ]]; then option="\${COMP_WORDS[COMP_CWORD - 2]}"
  fi
  COMPREPLY=()
  case $option in
${bashValues(commands.flatMap(({ options }) => options)).join("\n")}
  esac
  if ((COMP_CWORD == 1)); then words=${quote(first.join(" "))}
  else case \${COMP_WORDS[1]} in
${words.join("\n")}
  esac; fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _${NAME} ${NAME}`;
}

/** Escapes a text in a specification of zsh's _arguments or _describe. */
function escapeSpec(text: string): string {
  return text.replaceAll(/[\\:[\]]/g, "\\$&");
}

function zshOption(option: Option): string {
  const { long = "", description, required, argChoices } = option;
  const explanation = `[${escapeSpec(description)}]`;
  if (!required) return quote(`${long}${explanation}`);
  const action = takesFile(option) ? "_files" : `(${argChoices?.join(" ") ?? ""})`;
  return quote(`${long}=${explanation}:value:${action}`);
}

function zshScript({ commands, options }: CompletedProgram): string {
  const described = commands.map(({ name, description }) =>
    quote(`${name}:${escapeSpec(description)}`)
  );
  const cases = commands.map(({ name, options, values }) => {
    const specs = [...options.map(zshOption), quote(`*:argument:(${values.join(" ")})`)];
    return `    ${name}) _arguments ${specs.join(" \\\n      ")} ;;`;
  });
  return `#compdef ${NAME}
_${NAME}() {
  local -a commands
  commands=(
    ${described.join("\n    ")}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    _arguments ${options.map(zshOption).join(" ")}
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${cases.join("\n")}
  esac
}
if [[ $funcstack[1] == _${NAME} ]]; then _${NAME} "$@"; else compdef _${NAME} ${NAME}; fi`;
}

function fishOption(option: Option): string {
  const { long = "", description, required, argChoices } = option;
  const values = argChoices ? ` -a ${quote(argChoices.join(" "))}` : "";
  const value = !required ? "" : takesFile(option) ? " -r -F" : ` -x${values}`;
  return `-l ${long.slice(2)}${value} -d ${quote(description)}`;
}

function fishScript({ commands, options }: CompletedProgram): string {
  const line = (condition: string, rest: string) =>
    `complete -c ${NAME} -n ${quote(condition)} ${rest}`;
  const lines = commands.flatMap(({ name, description, options, values }) => {
    const isCommand = `__fish_seen_subcommand_from ${name}`;
    return [
      line("__fish_use_subcommand", `-a ${name} -d ${quote(description)}`),
      ...options.map((option) => line(isCommand, fishOption(option))),
      ...values.length > 0 ? [line(isCommand, `-a ${quote(values.join(" "))}`)] : [],
    ];
  });
  const global = options.map((option) => line("__fish_use_subcommand", fishOption(option)));
  return [`# fish completion for ${NAME}`, `complete -c ${NAME} -f`, ...global, ...lines].join(
    "\n",
  );
}

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** Adds the command `completion`, which prints a script for a shell. */
export function addCompletion(program: Command, _context: CommandContext): void {
  program.command("completion")
    .description("Print a script that completes commands and options in a shell.")
    .addArgument(new Argument("<shell>", "the shell").choices(Object.keys(SCRIPTS)))
    .addHelpText(
      "after",
      `
Examples:
  ${NAME} completion bash >> ~/.bashrc
  ${NAME} completion zsh > "\${fpath[1]}/_${NAME}"
  ${NAME} completion fish > ~/.config/fish/completions/${NAME}.fish`,
    )
    .action((shell: keyof typeof SCRIPTS) => writeLine(SCRIPTS[shell](readProgram(program))));
}
