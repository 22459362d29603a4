/**
 * Makes src/generated/live.ts from schemas/live.json, which the server's models export.
 *
 *   node tools/types.ts           writes the file
 *   node tools/types.ts --check   fails when the committed file is not what the schema gives
 */
import { readFile, writeFile } from "node:fs/promises";
import { compile, type JSONSchema } from "json-schema-to-typescript";

const SCHEMA = new URL("../schemas/live.json", import.meta.url);
const TYPES = new URL("../src/generated/live.ts", import.meta.url);
const BANNER =
  "// Made from schemas/live.json by `npm run types`: change the server's models instead.";

/** The compiler tells of every type that the schema refers to it, which all of them are. */
const REFERENCES =
  /( \*\n)? \* This interface was referenced by `LiveMessages`'s JSON-Schema\n \* via the `definition` "\w+"\.\n/g;

type Node = Record<string, unknown>;

/**
 * Takes out what would only make noise: a title on a member becomes a type of its own name,
 * and `null` stands in the models for "absent" (no member of the contract is ever null).
 */
function plain(node: unknown, depth: number): unknown {
  if (Array.isArray(node)) return node.map((item) => plain(item, depth + 1));
  if (typeof node !== "object" || node === null) return node;
  const { title, default: _default, anyOf, ...rest } = node as Node;
  const kept: Node = Object.fromEntries(
    Object.entries(rest).map(([name, value]) => [name, plain(value, depth + 1)]),
  );
  if (typeof title !== "string" && title !== undefined) kept.title = plain(title, depth + 1);
  if (Array.isArray(anyOf)) {
    const options = anyOf.filter((option: Node) => option.type !== "null");
    if (options.length > 1) kept.anyOf = plain(options, depth + 1);
    else Object.assign(kept, plain(options[0], depth + 1));
  }
  return kept;
}

async function types(): Promise<string> {
  const schema = JSON.parse(await readFile(SCHEMA, "utf8")) as JSONSchema;
  const whole = { ...(plain(schema, 0) as JSONSchema), title: "LiveMessages" };
  const made = await compile(whole, "LiveMessages", {
    additionalProperties: false,
    bannerComment: BANNER,
    unreachableDefinitions: true,
    style: { printWidth: 100 },
  });
  return made.replace(REFERENCES, "").replaceAll("/**\n */\n", "");
}

const made = await types();
if (!process.argv.includes("--check")) {
  await writeFile(TYPES, made);
} else if (made !== (await readFile(TYPES, "utf8").catch(() => ""))) {
  console.error("src/generated/live.ts is not what schemas/live.json gives. Run: npm run types");
  process.exit(1);
}
