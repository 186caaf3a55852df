// Reads SQL from standard input, a JSON string a line, and prints for each the errors of Trino's grammar.
import { existsSync } from "node:fs";
import { createRequire, registerHooks } from "node:module";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";

// dt-sql-parser is written for bundlers: its imports name neither a file's extension nor a folder's index.
registerHooks({
  resolve(specifier, context, next) {
    if (specifier.startsWith(".")) {
      const path = fileURLToPath(new URL(specifier, context.parentURL));
      const file = [`${path}.js`, `${path}/index.js`].find(existsSync);
      if (file) return next(pathToFileURL(file).href, context);
    }
    return next(specifier, context);
  },
});

const require = createRequire(`${process.argv[2]}/`);
const { TrinoSQL } = await import(pathToFileURL(require.resolve("dt-sql-parser/dist/parser/trino/index.js")));
const parser = new TrinoSQL();
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(parser.validate(JSON.parse(line)).map((error) => `${error.startLine}: ${error.message}`)));
}
