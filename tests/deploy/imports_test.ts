// The import table of the architecture: which module may import which, and no cycle.
import { assert, assertEquals } from "@std/assert";
import { deno, root } from "../helpers/run_deno.ts";

interface Row {
  /** The modules of the row. */
  files: RegExp;
  /** Paths they may import; one that ends in `/` or `:` stands for all that begin with it. */
  imports: string[];
  /** Paths they may import types of, in addition. */
  types?: string[];
  /** Paths they may load by `import()`, in addition. */
  onDemand?: string[];
}

/** The client's modules. Each may import those to its left. */
const LAYERS = [
  ...["errors", "task_url", "schedule", "task_info", "credentials", "response", "request"],
  ...["load_task", "task_list", "task_options", "polling", "task"],
  ...["workspace_poller", "resolve_all"],
].map((name) => `src/${name}.ts`);

const INTERNAL = "src/internal/";
const HONO = "npm:hono/";
const PRODUCT = ["mod.ts", "src/", "functions/", "deno.json"];
const PACKAGES = ["npm:", "node:", "jsr:"];

const inFunctions = (...paths: string[]) => paths.map((path) => `functions/${path}`);

/** The first row that matches a module applies to it. */
const TABLE: Row[] = [
  { files: /^mod\.ts$/, imports: LAYERS },
  { files: /^src\/internal\/client\.ts$/, imports: LAYERS }, // for functions/
  { files: /^src\/internal\//, imports: [INTERNAL], types: ["src/"] },
  { files: /^src\/webhook\.ts$/, imports: [INTERNAL, "src/errors.ts"], types: ["src/"] },
  {
    files: /^src\/cli(\.ts$|\/)/,
    imports: ["mod.ts", INTERNAL, "src/cli/", "deno.json", "node:", "npm:"],
  },
  ...LAYERS.map((file, i) => ({
    files: new RegExp(`^${RegExp.escape(file)}$`),
    imports: [INTERNAL, ...LAYERS.slice(0, i)],
    types: ["src/"],
  })),
  {
    files: /^functions\/(config|settings)\.ts$/,
    imports: ["mod.ts", INTERNAL, "npm:valibot", ...inFunctions("settings.ts")],
  },
  {
    files: /^functions\/http\/\w+_schema\.ts$/,
    imports: ["npm:valibot", ...inFunctions("http/")],
  },
  {
    files: /^functions\/http\/undici_fetch\.ts$/, // for Node only
    imports: ["node:stream", "npm:undici"],
    types: ["mod.ts"],
  },
  {
    files: /^functions\/http\//,
    imports: ["mod.ts", INTERNAL, ...inFunctions("http/")],
    types: [HONO, ...inFunctions("config.ts")],
  },
  {
    files: /^functions\/auth\//,
    imports: [INTERNAL, ...inFunctions("http/", "auth/")],
    types: [HONO, ...inFunctions("config.ts")],
  },
  {
    files: /^functions\/task\/\w+_schema\.ts$/,
    imports: ["npm:valibot", ...inFunctions("http/", "task/")],
  },
  {
    files: /^functions\/task\//,
    imports: ["mod.ts", INTERNAL, ...inFunctions("http/", "task/")],
    types: [HONO, ...inFunctions("config.ts", "auth/")],
  },
  {
    files: /^functions\/status_page\/route\.ts$/,
    imports: inFunctions("http/"),
    types: [HONO, ...inFunctions("auth/", "task/")],
    onDemand: inFunctions("status_page/page.ts"),
  },
  {
    files: /^functions\/status_page\//,
    imports: [
      ...["npm:hono/html", "mod.ts", INTERNAL],
      ...inFunctions("status_page/"),
    ],
    types: [HONO, ...inFunctions("http/", "task/")],
  },
  {
    files: /^functions\/watches\/\w+_schema\.ts$/,
    imports: ["npm:valibot", ...inFunctions("http/", "task/", "watches/")],
  },
  {
    files: /^functions\/watches\/postgres_client\.ts$/,
    imports: [
      ...["npm:postgres", INTERNAL],
      ...inFunctions("watches/"),
    ],
  },
  {
    files: /^functions\/watches\//,
    imports: [
      ...["mod.ts", INTERNAL],
      ...inFunctions("config.ts", "http/", "auth/", "task/", "watches/"),
    ],
    types: [HONO],
    onDemand: inFunctions("watches/"),
  },
  {
    files: /^functions\/app\.ts$/,
    imports: [
      ...["npm:hono/tiny", "mod.ts", INTERNAL],
      ...inFunctions("config.ts", "http/", "auth/", "task/", "status_page/route.ts"),
    ],
    types: [HONO, ...inFunctions("watches/")],
    onDemand: inFunctions("openapi.json", "status_page/", "watches/"),
  },
  {
    files: /^functions\/lazy_handler\.ts$/,
    imports: inFunctions("app.ts", "config.ts", "http/"),
  },
  {
    files: /^functions\/(\w+|supabase\/index)\.ts$/, // the entries
    imports: [
      ...["node:", "npm:@hono/node-server", "npm:hono/aws-lambda", "npm:hono/tiny"],
      ...inFunctions("app.ts", "lazy_handler.ts", "config.ts", "http/log.ts", "main.ts"),
      ...inFunctions("http/undici_fetch.ts"),
    ],
    types: inFunctions("watches/"),
    onDemand: inFunctions("watches/"),
  },
  { files: /^tests\/helpers\//, imports: [...PRODUCT, ...PACKAGES, "tests/helpers/"] },
  {
    files: /^tests\/tools\/soak\.ts$/,
    imports: [
      ...[...PRODUCT, ...PACKAGES, "tests/helpers/", "tests/tools/", "tests/bench/"],
      ...["tests/faults/"],
    ],
  },
  {
    files: /^tests\/(tools|bench|runtime)\//,
    imports: [
      ...[...PRODUCT, ...PACKAGES, "tests/helpers/"],
      ...["tests/tools/", "tests/bench/", "tests/runtime/"],
    ],
  },
  { files: /^tests\//, imports: [...PRODUCT, ...PACKAGES, "tests/"] },
];

/** Modules that the endpoint loads only by `import()`. */
const ON_DEMAND = inFunctions(
  ...[
    "status_page/page.ts",
    "http/cors.ts",
    "http/problem_docs.ts",
    "http/metrics.ts",
    "openapi.json",
  ],
);

interface Import {
  from: string;
  to: string;
  kind: "code" | "types" | "on demand";
}

interface Module {
  specifier: string;
  error?: string;
  dependencies?: {
    code?: { specifier?: string };
    type?: { specifier?: string };
    isDynamic?: boolean;
  }[];
}

async function* modules(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, root))) {
    if (isDirectory && name !== "node_modules") yield* modules(`${folder}${name}/`);
    else if (name.endsWith(".ts")) yield folder + name;
  }
}

/** Returns a path within the project, or a package without its version. */
function toPath(specifier: string): string {
  if (specifier.startsWith(root.href)) return specifier.slice(root.href.length);
  return specifier.replace(/^(npm|jsr):\/?((?:@[^/]+\/)?[^@/]+)(@[^/]+)?/, "$1:$2");
}

/** Reads all imports of the project by one module that imports every other. */
async function readImports(files: string[]): Promise<Import[]> {
  const all = await Deno.makeTempFile({ dir: new URL("dist/", root).pathname, suffix: ".ts" });
  try {
    await Deno.writeTextFile(all, files.map((file) => `import "../${file}";\n`).join(""));
    const { code, output } = await deno(["info", "--json", "--no-lock", all], { quiet: true });
    assertEquals(code, 0, output.slice(-500));
    const graph: { modules: Module[] } = JSON.parse(output.slice(output.indexOf("{")));
    return graph.modules.flatMap(({ specifier, dependencies = [] }) =>
      dependencies.map(({ code, type, isDynamic }): Import => ({
        from: toPath(specifier),
        to: toPath(code?.specifier ?? type?.specifier ?? ""),
        kind: isDynamic ? "on demand" : code ? "code" : "types",
      }))
    ).filter(({ from }) => files.includes(from));
  } finally {
    await Deno.remove(all);
  }
}

function isAllowed({ from, to, kind }: Import): boolean {
  const row = TABLE.find(({ files }) => files.test(from));
  if (!row) return false;
  const allowed = [
    ...row.imports,
    ...(kind === "types" ? row.types ?? [] : []),
    ...(kind === "on demand" ? row.onDemand ?? [] : []),
  ];
  if (kind === "code" && from.startsWith("functions/") && ON_DEMAND.includes(to)) return false;
  return allowed.some((path) => /[/:]$/.test(path) ? `${to}/`.startsWith(path) : to === path);
}

/** Returns the modules of a cycle of imports that run code, or `undefined`. */
function findCycle(imports: Import[]): string[] | undefined {
  const done = new Set<string>();
  const visit = (module: string, path: string[]): string[] | undefined => {
    if (path.includes(module)) return [...path.slice(path.indexOf(module)), module];
    if (done.has(module)) return undefined;
    for (const { from, to, kind } of imports) {
      const cycle = from === module && kind === "code" && visit(to, [...path, module]);
      if (cycle) return cycle;
    }
    done.add(module);
    return undefined;
  };
  for (const { from } of imports) {
    const cycle = visit(from, []);
    if (cycle) return cycle;
  }
  return undefined;
}

const files = ["mod.ts"];
for (const folder of ["src/", "functions/", "tests/"]) {
  for await (const file of modules(folder)) files.push(file);
}
const imports = await readImports(files);

Deno.test("every module imports only what the table of the architecture allows", () => {
  assert(imports.length > 400, `${imports.length} imports read`);
  const forbidden = imports.filter((it) => !isAllowed(it));
  assertEquals(forbidden.map(({ from, to, kind }) => `${from} -> ${to} (${kind})`), []);
});

/** Returns the modules that a module imports, at once or on demand. */
function reachedFrom(module: string): Set<string> {
  const reached = new Set([module]);
  for (const module of reached) {
    for (const { from, to, kind } of imports) {
      if (from === module && kind !== "types") reached.add(to);
    }
  }
  return reached;
}

Deno.test("the Worker and the Netlify function contain no PostgreSQL, the other entries do", () => {
  const isIn = (name: string) => reachedFrom(`functions/${name}.ts`).has("npm:postgres");
  assertEquals(["cloudflare", "netlify", "app"].filter(isIn), []);
  const others = ["main", "node", "bun", "supabase/index", "vercel", "aws_lambda"];
  assertEquals(others.filter(isIn), others);
});

Deno.test("the imports have no cycle", () => {
  assertEquals(findCycle(imports), undefined);
});

Deno.test("the check of the imports finds an upward import, an eager one and a cycle", () => {
  const from = "functions/http/body.ts";
  const upward: Import = { from, to: "functions/task/request.ts", kind: "code" };
  assert(!isAllowed(upward));
  assert(!isAllowed({ ...upward, to: "npm:hono/cors" }));
  const eager = { from: "functions/app.ts", to: "functions/http/problem_docs.ts" };
  assert(!isAllowed({ ...eager, kind: "code" }) && isAllowed({ ...eager, kind: "on demand" }));
  assert(findCycle([...imports, { from: "src/internal/text.ts", to: "mod.ts", kind: "code" }]));
});
