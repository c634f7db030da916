#!/usr/bin/env node
/** The command of the npm package, for Node. Internal. */
import process from "node:process";

const MIN_NODE_VERSION = 22;

// the program uses syntax and packages that an older Node cannot load
if (parseInt(process.versions.node) < MIN_NODE_VERSION) {
  process.stderr.write(
    `error: The command line requires Node ${MIN_NODE_VERSION} or later, this is Node ` +
      `${process.versions.node}; update Node, or run: npx -y -p node@${MIN_NODE_VERSION} -p @deepint/task deepint-task\n`,
  );
  process.exitCode = 1;
} else {
  const { runProgram } = await import("./program.ts");
  await runProgram();
}
