// Not @std/ini: src/ imports nothing.
/** The credentials file `~/.deepint.ini`. */

/** Parses the section `[DEFAULT]` of an ini file: its non-empty values by lower-case key. */
export function parseIni(text: string): Record<string, string> {
  const values: Record<string, string> = {};
  let section = "";
  for (const line of text.split(/\r?\n/)) {
    section = /^\s*\[(.*)\]\s*$/.exec(line)?.[1] ?? section;
    const [, key = "", value = ""] = /^([^#;\s=:]+)\s*[=:](.*)$/.exec(line.trim()) ?? [];
    if (section === "DEFAULT" && value.trim()) values[key.toLowerCase()] = value.trim();
  }
  return values;
}
