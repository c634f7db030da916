// Every regular expression of the product is linear: none takes a time that grows faster than its input.
import { assert, assertEquals } from "@std/assert";
import recheck from "recheck/lib/browser.js";
import { root } from "../helpers/run_deno.ts";

interface Expression {
  readonly file: string;
  readonly pattern: string;
  readonly flags: string;
}

/** The part of recheck that is used; its pure JavaScript build has no types. */
const { checkSync }: {
  checkSync(pattern: string, flags: string, options: { timeout: number }): {
    /** `"safe"` for an expression that is linear; a timeout is `"unknown"`. */
    status: "safe" | "vulnerable" | "unknown";
  };
} = recheck;

async function* modules(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, root))) {
    if (isDirectory) yield* modules(`${folder}${name}/`);
    else if (name.endsWith(".ts")) yield folder + name;
  }
}

/** Finds the regular expressions of a module, and calls of `RegExp`, whose pattern is not known here. */
function findExpressions(file: string, source: string): Expression[] {
  const found: Expression[] = [];
  const add = (pattern: string, flags: string) => found.push({ file, pattern, flags });
  const visitCall = ({ callee }: { callee: { type: string; name?: string } }) => {
    if (callee.type === "Identifier" && callee.name === "RegExp") add("(a*)*$", ""); // refused below
  };
  Deno.lint.runPlugin(
    {
      name: "expressions",
      rules: {
        collect: {
          create: () => ({
            Literal(node) {
              if ("regex" in node && node.regex) add(node.regex.pattern, node.regex.flags);
            },
            NewExpression: visitCall,
            CallExpression: visitCall,
          }),
        },
      },
    },
    file,
    source,
  );
  return found;
}

function isLinear({ pattern, flags }: Expression): boolean {
  return checkSync(pattern, flags, { timeout: 120_000 }).status === "safe";
}

const expressions: Expression[] = [];
for (const folder of ["src/", "functions/"]) {
  for await (const file of modules(folder)) {
    const source = await Deno.readTextFile(new URL(file, root));
    expressions.push(...findExpressions(file, source));
  }
}

Deno.test("every regular expression of src/ and functions/ is linear", () => {
  assert(expressions.length > 40, `${expressions.length} expressions found`);
  const slow = expressions.filter((expression) => !isLinear(expression));
  assertEquals(slow.map(({ file, pattern, flags }) => `${file}: /${pattern}/${flags}`), []);
});

Deno.test("the check finds a super-linear expression and a call of RegExp", () => {
  const found = findExpressions("a.ts", "f(/^(a|a)*$/); g(/^a+$/i, new RegExp(x), RegExp('a'));");
  assertEquals(found.map(isLinear), [false, true, false, false]);
});
